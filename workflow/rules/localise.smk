# Coverage and localisation of the maps against the channel annotations, and against two nulls.
rule localise:
    input:
        maps=lambda wildcards: INPUTS.of_seeds(wildcards, "occlusion.zarr.zip"),
        predictions=lambda wildcards: INPUTS.of_seeds(wildcards, "predictions.parquet"),
        clips=lambda wildcards: INPUTS.every(
            PATHS.clips,
            "test",
            corpus=wildcards.corpus,
            task=wildcards.task,
            len=wildcards.len,
        ),
        seizures=lambda wildcards: INPUTS.tables(
            PATHS.of("index/{shard}.seizures.parquet"), "test", corpus=wildcards.corpus
        ),
        segments=lambda wildcards: INPUTS.tables(
            PATHS.of("signals/{shard}.segments.parquet"),
            "test",
            corpus=wildcards.corpus,
        ),
        splits=PATHS.of("splits.parquet"),
    output:
        localisation=PATHS.of("{task}-{len}s/{run}/localisation.parquet"),
        summary=PATHS.of("{task}-{len}s/{run}/localisation.json"),
    log:
        PATHS.log("{task}-{len}s/{run}/localise"),
    benchmark:
        PATHS.benchmark("{task}-{len}s/{run}/localise")
    threads: 1
    resources:
        mem_mb=NEEDS.memory("localise"),
        runtime=NEEDS.minutes("localise"),
    params:
        settings=settings(job_settings.localise, "run", "task", "len"),
        code=code("localise"),
    message:
        "{wildcards.corpus}: does {wildcards.run} ({wildcards.len}-s {wildcards.task}) look where the seizure is?"
    shell:
        "python -m pipeline.stages.localise --settings {params.settings:q} --code {params.code} --log {log}"
        " --maps {input.maps} --predictions {input.predictions} --clips {input.clips}"
        " --seizures {input.seizures} --segments {input.segments}"
        " --localisation {output.localisation} --summary {output.summary}"
