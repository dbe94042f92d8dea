# Features of each second and electrode. Detection and pre-training clips of every length share the frames of whole
# recordings (grid); classification clips start off the grid and get their own.
FEATURES_COMMAND = (
    "python -m pipeline.stages.features --settings {params.settings:q} --code {params.code} --log {log}"
    " --signals {input.signals} --segments {input.segments} --features {output.features}"
)


rule features_grid:
    input:
        signals=PATHS.of("signals/{shard}.zarr.zip"),
        segments=PATHS.of("signals/{shard}.segments.parquet"),
    output:
        features=PATHS.of("features/{kind}/grid/{shard}.zarr.zip"),
    log:
        PATHS.log("features/{kind}/grid/{shard}"),
    benchmark:
        PATHS.benchmark("features/{kind}/grid/{shard}")
    threads: 1
    resources:
        mem_mb=NEEDS.memory("features_grid"),
        runtime=NEEDS.minutes("features_grid"),
    params:
        settings=settings(job_settings.features, "kind"),
        code=code(
            "features",
            lambda wildcards: f"features.{CFG.features[wildcards.kind].kind}",
        ),
    message:
        "{wildcards.corpus}: {wildcards.kind} features of every second of {wildcards.shard}"
    shell:
        FEATURES_COMMAND


rule features_classification:
    input:
        signals=PATHS.of("signals/{shard}.zarr.zip"),
        segments=PATHS.of("signals/{shard}.segments.parquet"),
        clips=PATHS.of("clips/classification-{len}s/{shard}.parquet"),
    output:
        features=PATHS.of("features/{kind}/classification-{len}s/{shard}.zarr.zip"),
    log:
        PATHS.log("features/{kind}/classification-{len}s/{shard}"),
    benchmark:
        PATHS.benchmark("features/{kind}/classification-{len}s/{shard}")
    threads: 1
    resources:
        mem_mb=NEEDS.memory("features_classification"),
        runtime=NEEDS.minutes("features_classification"),
    params:
        settings=settings(job_settings.features, "kind"),
        code=code(
            "features",
            lambda wildcards: f"features.{CFG.features[wildcards.kind].kind}",
        ),
    message:
        "{wildcards.corpus}: {wildcards.kind} features of the {wildcards.len}-s seizure clips of {wildcards.shard}"
    shell:
        FEATURES_COMMAND + " --clips {input.clips}"
