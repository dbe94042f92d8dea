# What became of every EDF, and why: read this first. The target `qc` also checks the splits and stops where they leak.
rule qc_page:
    input:
        unpack(INPUTS.of_qc),
    output:
        page=PATHS.of("qc/index.html"),
        findings=PATHS.of("qc/findings.tsv"),
        findings_table=PATHS.of("qc/findings.parquet"),
        recordings=PATHS.of("qc/recordings.tsv"),
        recordings_table=PATHS.of("qc/recordings.parquet"),
    log:
        PATHS.log("qc_page"),
    benchmark:
        PATHS.benchmark("qc_page")
    localrule: True
    threads: 1
    resources:
        mem_mb=NEEDS.memory("qc_page"),
        runtime=NEEDS.minutes("qc_page"),
    params:
        settings=settings(job_settings.qc_page, "corpus"),
        code=code("qc_page"),
        dealing=lambda wildcards, input: (
            f"--dealing {input.dealing}" if "dealing" in input.keys() else ""
        ),
    message:
        "{wildcards.corpus}: write the QC page"
    shell:
        "python -m pipeline.stages.qc_page --settings {params.settings:q} --code {params.code} --log {log}"
        " --manifests {input.manifests} --recordings {input.recordings} --seizures {input.seizures}"
        " --segments {input.segments} --earlier {input.earlier} {params.dealing} --out $(dirname {output.page})"


rule:
    name:
        "qc"
    input:
        f"{CFG.results}/{CFG.corpus}/qc/index.html",
        f"{CFG.results}/{CFG.corpus}/splits.parquet",
    message:
        "what became of every EDF of the corpus"
