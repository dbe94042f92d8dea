# Which recordings there are, and when their seizures are: headers and annotation files of one shard.
rule index:
    input:
        manifest=PATHS.of("manifests/{shard}.tsv"),
    output:
        recordings=PATHS.of("index/{shard}.recordings.parquet"),
        seizures=PATHS.of("index/{shard}.seizures.parquet"),
        findings=PATHS.of("index/{shard}.findings.parquet"),
    log:
        PATHS.log("index/{shard}"),
    benchmark:
        PATHS.benchmark("index/{shard}")
    threads: 1
    resources:
        mem_mb=NEEDS.memory("index"),
        runtime=NEEDS.minutes("index"),
    params:
        settings=settings(job_settings.index, "corpus"),
        code=code("index", reader),
        root=lambda wildcards: CORPORA.root(wildcards.corpus),
        strict=STRICT,
    message:
        "{wildcards.corpus}: index the recordings and seizures of {wildcards.shard}"
    shell:
        "python -m pipeline.stages.index --settings {params.settings:q} --code {params.code} --log {log}"
        " {params.strict}"
        " --manifest {input.manifest} --root {params.root:q} --recordings {output.recordings}"
        " --seizures {output.seizures} --findings {output.findings}"
