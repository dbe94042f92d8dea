# What the probabilities are worth: baselines on the same folds, the table of contacts, metrics, ablations (docs/soz.md).
rule soz_baselines:
    input:
        unpack(SOZ.of_baselines),
    output:
        baselines=SOZ_PATHS.baselines,
    log:
        PATHS.log("soz_baselines/{tokens}{dealt}"),
    benchmark:
        PATHS.benchmark("soz_baselines/{tokens}{dealt}")
    threads: 1
    resources:
        mem_mb=NEEDS.memory("soz_baselines"),
        runtime=NEEDS.minutes("soz_baselines"),
    params:
        settings=settings(job_settings_soz.soz_baselines),
        code=code("soz_baselines"),
    message:
        "{wildcards.corpus}: baselines on the same folds"
    shell:
        "python -m pipeline.stages.soz_baselines --settings {params.settings:q} --code {params.code} --log {log}"
        " --tokens {input.tokens} --rows {input.rows} --folds {input.folds} --baselines {output.baselines}"


rule soz_evaluate:
    input:
        unpack(SOZ.of_evaluate),
    output:
        channels=SOZ_PATHS.soz + "channel_soz.tsv",
        sidecar=SOZ_PATHS.soz + "channel_soz.json",
        description=SOZ_PATHS.soz + "dataset_description.json",
        metrics=SOZ_PATHS.soz + "metrics.parquet",
        contacts=SOZ_PATHS.soz + "contacts.parquet",
        cohort=SOZ_PATHS.soz + "cohort.json",
        comparisons=SOZ_PATHS.soz + "comparisons.parquet",
    log:
        PATHS.log("soz_evaluate/{run}"),
    benchmark:
        PATHS.benchmark("soz_evaluate/{run}")
    threads: 1
    resources:
        mem_mb=NEEDS.memory("soz_evaluate"),
        runtime=NEEDS.minutes("soz_evaluate"),
    params:
        settings=settings(job_settings_soz.soz_evaluate, "run"),
        code=code("soz_evaluate"),
    message:
        "{wildcards.corpus}: score {wildcards.run} and write channel_soz.tsv"
    shell:
        "python -m pipeline.stages.soz_evaluate --settings {params.settings:q} --code {params.code} --log {log}"
        " --predictions {input.predictions} --cards {input.cards} --baselines {input.baselines}"
        " --folds {input.folds} --rows {input.rows} --contacts {input.contacts} --patients {input.patients}"
        " --recordings {input.recordings} --findings {input.findings} --out $(dirname {output.channels})"
        " --other-predictions {input.other_predictions} --other-cards {input.other_cards}"


rule soz_ablations:
    input:
        **SOZ.of_ablations(),
    output:
        table=SOZ.ablations_file(),
    log:
        f"{CFG.results}/{CFG.soz.corpus}/logs/soz_ablations.log",
    benchmark:
        f"{CFG.results}/{CFG.soz.corpus}/benchmarks/soz_ablations.tsv"
    threads: 1
    resources:
        mem_mb=NEEDS.memory("soz_ablations"),
        runtime=NEEDS.minutes("soz_ablations"),
    params:
        settings=settings(job_settings_soz.soz_ablations),
        code=code("soz_ablations"),
    message:
        f"{CFG.soz.corpus}: runs of soz.ablations beside soz.run, on the same folds"
    shell:
        "python -m pipeline.stages.soz_ablations --settings {params.settings:q} --code {params.code} --log {log}"
        " --metrics {input.metrics} --contacts {input.contacts} --out {output.table}"
