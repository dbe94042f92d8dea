# Probabilities of one model for every validation and test clip.
rule predict:
    input:
        unpack(INPUTS.of_predicting),
        model=PATHS.run + "model.safetensors",
        card=PATHS.run + "card.json",
    output:
        predictions=PATHS.run + "predictions.parquet",
    log:
        PATHS.log("{task}-{len}s/{run}/seed{seed}.predict"),
    benchmark:
        PATHS.benchmark("{task}-{len}s/{run}/seed{seed}.predict")
    threads: CFG.device.threads
    resources:
        mem_mb=NEEDS.memory("predict"),
        runtime=NEEDS.minutes("predict"),
    params:
        settings=settings(job_settings.predict, "task", "len"),
        code=code("predict", run_model),
    message:
        "{wildcards.corpus}: predict with {wildcards.run}, {wildcards.len}-s {wildcards.task}, seed {wildcards.seed}"
    shell:
        "python -m pipeline.stages.predict --settings {params.settings:q} --code {params.code} --log {log}"
        " --memory-gb {CFG.device.memory_gb}"
        " --model {input.model} --card {input.card} --features {input.features} --clips {input.clips}"
        " --graphs {input.graphs} --scaler {input.scaler} --predictions {output.predictions}"
