# The electrode graph: one for all clips (distance), or one for each clip (correlation of its features).
rule graph_distance:
    output:
        graphs=PATHS.of("graphs/distance.zarr.zip"),
    log:
        PATHS.log("graphs/distance"),
    benchmark:
        PATHS.benchmark("graphs/distance")
    threads: 1
    resources:
        mem_mb=500,
        runtime=5,
    params:
        settings=settings(lambda: job_settings.graph_distance(CFG)),
        code=code("graph_distance"),
    message:
        "{wildcards.corpus}: distance graph of the electrodes"
    shell:
        "python -m pipeline.stages.graph_distance --settings {params.settings:q} --code {params.code} --log {log}"
        " --graphs {output.graphs}"


rule graph_correlation:
    input:
        features=lambda wildcards: FRAMES.format(
            grid=grid_of(wildcards.task, wildcards.len), **wildcards
        ),
        clips=CLIPS,
    output:
        graphs=PATHS.of("graphs/correlation-{kind}/{task}-{len}s/{shard}.zarr.zip"),
    log:
        PATHS.log("graphs/correlation-{kind}/{task}-{len}s/{shard}"),
    benchmark:
        PATHS.benchmark("graphs/correlation-{kind}/{task}-{len}s/{shard}")
    threads: 1
    resources:
        mem_mb=lambda wildcards, input: max(1000, 2 * input.size_mb),
        runtime=60,
    params:
        settings=settings(lambda: job_settings.graph_correlation(CFG)),
        code=code("graph_correlation"),
    message:
        "{wildcards.corpus}: correlation graphs of the {wildcards.len}-s {wildcards.task} clips of {wildcards.shard}"
    shell:
        "python -m pipeline.stages.graph_correlation --settings {params.settings:q} --code {params.code} --log {log}"
        " --features {input.features} --clips {input.clips} --graphs {output.graphs}"
