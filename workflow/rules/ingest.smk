# From EDF bytes to clean arrays: header checks, electrodes, resampling; what was repaired or left out becomes a finding.
rule ingest:
    input:
        recordings=PATHS.of("index/{shard}.recordings.parquet"),
        seizures=PATHS.of("index/{shard}.seizures.parquet"),
    output:
        signals=PATHS.of("signals/{shard}.zarr.zip"),
        segments=PATHS.of("signals/{shard}.segments.parquet"),
        findings=PATHS.of("signals/{shard}.findings.parquet"),
    log:
        PATHS.log("ingest/{shard}"),
    benchmark:
        PATHS.benchmark("ingest/{shard}")
    threads: 1
    resources:
        mem_mb=NEEDS.memory("ingest"),
        runtime=NEEDS.minutes("ingest"),
    params:
        settings=settings(job_settings.ingest, "corpus"),
        code=code("ingest", reader),
        root=lambda wildcards: CORPORA.root(wildcards.corpus),
    message:
        "{wildcards.corpus}: read, check and resample the recordings of {wildcards.shard}"
    shell:
        "python -m pipeline.stages.ingest --settings {params.settings:q} --code {params.code} --log {log}"
        " --recordings {input.recordings} --seizures {input.seizures} --root {params.root:q}"
        " --signals {output.signals} --segments {output.segments} --findings {output.findings}"
