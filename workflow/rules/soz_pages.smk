# Pages for a person to read: one a patient, one of the cohort (docs/soz.md).
rule soz_patient_page:
    input:
        unpack(SOZ.of_patient_page),
        resources=REPORT_RESOURCES,
    output:
        page=SOZ_PATHS.soz + "pages/{patient}.html",
    log:
        PATHS.log("soz_patient_page/{run}/{patient}"),
    benchmark:
        PATHS.benchmark("soz_patient_page/{run}/{patient}")
    threads: 1
    resources:
        mem_mb=NEEDS.memory("soz_patient_page"),
        runtime=NEEDS.minutes("soz_patient_page"),
    params:
        settings=settings(job_settings_soz.soz_page, "run"),
        code=code("soz_patient_page"),
    message:
        "{wildcards.corpus}: the page of {wildcards.patient}"
    shell:
        "python -m pipeline.stages.soz_patient_page --settings {params.settings:q} --code {params.code} --log {log}"
        " --patient {wildcards.patient} --channels {input.channels} --predictions {input.predictions}"
        " --cards {input.cards} --attention {input.attention} --shafts {input.shafts} --tokens {input.tokens}"
        " --rows {input.rows} --recordings {input.recordings} --contacts {input.contacts} --patients {input.patients}"
        " --seizures {input.seizures} --findings {input.findings} --out {output.page}"


rule soz_cohort_page:
    input:
        unpack(SOZ.of_cohort_page),
        resources=REPORT_RESOURCES,
    output:
        page=report(SOZ_PATHS.soz + "index.html", category="soz"),
    log:
        PATHS.log("soz_cohort_page/{run}"),
    benchmark:
        PATHS.benchmark("soz_cohort_page/{run}")
    threads: 1
    resources:
        mem_mb=NEEDS.memory("soz_cohort_page"),
        runtime=NEEDS.minutes("soz_cohort_page"),
    params:
        settings=settings(job_settings_soz.soz_page, "run"),
        code=code("soz_cohort_page"),
        ablations=lambda wildcards: SOZ.ablations_file(),
        ablated=lambda wildcards: SOZ.ablations_digest(),
    message:
        "{wildcards.corpus}: the page of the cohort, {wildcards.run}"
    shell:
        "python -m pipeline.stages.soz_cohort_page --settings {params.settings:q} --code {params.code} --log {log}"
        " --metrics {input.metrics} --comparisons {input.comparisons} --channels {input.channels} --folds {input.folds}"
        " --summary {input.summary} --measures {input.measures} --faithfulness {input.faithfulness}"
        " --patients {input.patients} --recordings {input.recordings} --ablations {params.ablations}"
        " --out {output.page}"
