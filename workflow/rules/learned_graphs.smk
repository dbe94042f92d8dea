# The graphs that a model learned to join the electrodes by: each test clip, layer and second (spec sglc.md, 13).
rule learned_graphs:
    input:
        unpack(lambda wildcards: INPUTS.of_run(wildcards, "test")),
        model=PATHS.run + "model.safetensors",
        card=PATHS.run + "card.json",
        predictions=PATHS.run + "predictions.parquet",
    output:
        store=PATHS.run + "learned_graphs.zarr.zip",
        table=PATHS.run + "learned_graphs.parquet",
    log:
        PATHS.log("{task}-{len}s/{run}/seed{seed}.learned_graphs"),
    benchmark:
        PATHS.benchmark("{task}-{len}s/{run}/seed{seed}.learned_graphs")
    threads: CFG.device.threads
    resources:
        mem_mb=NEEDS.memory("learned_graphs"),
        runtime=NEEDS.minutes("learned_graphs"),
    params:
        settings=settings(job_settings.learned_graphs),
        code=code("learned_graphs", run_model),
    message:
        "{wildcards.corpus}: learned graphs of {wildcards.run}, {wildcards.len}-s {wildcards.task}, seed {wildcards.seed}"
    shell:
        "python -m pipeline.stages.learned_graphs --settings {params.settings:q} --code {params.code} --log {log}"
        " --memory-gb {CFG.device.memory_gb}"
        " --model {input.model} --card {input.card} --predictions {input.predictions}"
        " --features {input.features} --clips {input.clips} --graphs {input.graphs} --scaler {input.scaler}"
        " --store {output.store} --table {output.table}"
