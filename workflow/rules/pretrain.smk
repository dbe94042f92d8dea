# Self-supervised pre-training: predict the next 12 s. One encoder for every run that starts from it.
rule pretrain:
    input:
        unpack(INPUTS.of_pretraining),
    output:
        encoder=PATHS.pretraining + "encoder.safetensors",
        card=PATHS.pretraining + "card.json",
        history=PATHS.pretraining + "history.parquet",
    log:
        PATHS.log("pretraining-{len}s/{encoder}"),
    benchmark:
        PATHS.benchmark("pretraining-{len}s/{encoder}")
    threads: of_each(CFG.device.threads, "pretraining")
    resources:
        gpu=of_each(GPU, "pretraining"),
        mem_mb=NEEDS.memory("pretrain"),
        runtime=NEEDS.minutes("pretrain"),
    params:
        settings=settings(job_settings.pretrain, "encoder", "len"),
        code=code(
            "pretrain",
            lambda wildcards: model_code(wildcards.encoder.split("-")[0]),
            "training.worker",
        ),
    message:
        "{wildcards.corpus}: pre-train {wildcards.encoder} on {wildcards.len}-s clips"
    shell:
        "python -m pipeline.stages.pretrain --settings {params.settings:q} --code {params.code} --log {log}"
        " --memory-gb {CFG.device.memory_gb}"
        " --features {input.features} --clips {input.clips} --graphs {input.graphs} --scaler {input.scaler}"
        " --checkpoints {PATHS.checkpoints} --checkpoint-minutes {CFG.training.checkpoint_minutes}"
        " --encoder {output.encoder} --card {output.card}"
        " --history {output.history}"
