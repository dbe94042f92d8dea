# Occlusion maps: how much the model's answer drops when one electrode-second is hidden.
rule occlude:
    input:
        unpack(lambda wildcards: INPUTS.of_run(wildcards, "test")),
        model=PATHS.run + "model.safetensors",
        card=PATHS.run + "card.json",
        predictions=PATHS.run + "predictions.parquet",
    output:
        maps=PATHS.run + "occlusion.zarr.zip",
    log:
        PATHS.log("{task}-{len}s/{run}/seed{seed}.occlude"),
    benchmark:
        PATHS.benchmark("{task}-{len}s/{run}/seed{seed}.occlude")
    threads: CFG.device.threads
    resources:
        gpu=GPU,
        mem_mb=NEEDS.memory("occlude"),
        runtime=NEEDS.minutes("occlude"),
    params:
        settings=settings(job_settings.occlude, "run"),
        code=code("occlude", run_model),
    message:
        "{wildcards.corpus}: occlusion maps of {wildcards.run}, {wildcards.len}-s {wildcards.task}, seed {wildcards.seed}"
    shell:
        "python -m pipeline.stages.occlude --settings {params.settings:q} --code {params.code} --log {log}"
        " --memory-gb {CFG.device.memory_gb}"
        " --model {input.model} --card {input.card} --predictions {input.predictions}"
        " --features {input.features} --clips {input.clips} --graphs {input.graphs} --scaler {input.scaler}"
        " --maps {output.maps}"
