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


def correlation_inputs(wildcards):
    """Frames and clips of the shard; the training mean too where the correlation is of standardised features."""
    grid = grid_of(wildcards.task, wildcards.len)
    inputs = {
        "features": PATHS.frames.format(grid=grid, **wildcards),
        "clips": PATHS.clips.format(**wildcards),
    }
    if CFG.graphs.correlation_input == "standardised":
        scaler = PATHS.of("features/{kind}/{grid}/scalers/{task}-{len}s.json")
        inputs["scaler"] = scaler.format(grid=grid, **wildcards)
    return inputs


rule graph_correlation:
    input:
        unpack(correlation_inputs),
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
        scaler=lambda wildcards, input: (
            f"--scaler {input.scaler}" if "scaler" in input.keys() else ""
        ),
    message:
        "{wildcards.corpus}: correlation graphs of the {wildcards.len}-s {wildcards.task} clips of {wildcards.shard}"
    shell:
        "python -m pipeline.stages.graph_correlation --settings {params.settings:q} --code {params.code} --log {log}"
        " --features {input.features} --clips {input.clips} {params.scaler} --graphs {output.graphs}"
