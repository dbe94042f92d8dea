# The electrode graph: one for all clips (distance), or one for each clip (correlation of its features).
rule graph_distance:
    output:
        graphs=PATHS.of("graphs/distance.zarr.zip"),
    log:
        PATHS.log("graphs/distance"),
    benchmark:
        PATHS.benchmark("graphs/distance")
    localrule: True
    threads: 1
    resources:
        mem_mb=NEEDS.memory("graph_distance"),
        runtime=NEEDS.minutes("graph_distance"),
    params:
        settings=settings(job_settings.graph_distance),
        code=code("graph_distance"),
    message:
        "{wildcards.corpus}: distance graph of the electrodes"
    shell:
        "python -m pipeline.stages.graph_distance --settings {params.settings:q} --code {params.code} --log {log}"
        " --graphs {output.graphs}"


rule graph_correlation:
    input:
        unpack(INPUTS.of_correlation),
    output:
        graphs=PATHS.correlation,
    log:
        PATHS.log("graphs/correlation-{kind}{neighbours}/{task}-{len}s/{shard}"),
    benchmark:
        PATHS.benchmark("graphs/correlation-{kind}{neighbours}/{task}-{len}s/{shard}")
    threads: 1
    resources:
        mem_mb=NEEDS.memory("graph_correlation"),
        runtime=NEEDS.minutes("graph_correlation"),
    params:
        settings=settings(job_settings.graph_correlation, "neighbours"),
        code=code("graph_correlation"),
        scaler=lambda wildcards, input: (
            f"--scaler {input.scaler}" if "scaler" in input.keys() else ""
        ),
    message:
        "{wildcards.corpus}: correlation graphs of the {wildcards.len}-s {wildcards.task} clips of {wildcards.shard}"
    shell:
        "python -m pipeline.stages.graph_correlation --settings {params.settings:q} --code {params.code} --log {log}"
        " --features {input.features} --clips {input.clips} {params.scaler} --graphs {output.graphs}"
