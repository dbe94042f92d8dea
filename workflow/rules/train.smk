# One model: a run, a task, a clip length, a seed. Sees training and validation shards only.
rule train:
    input:
        unpack(INPUTS.of_training),
    output:
        model=PATHS.run + "model.safetensors",
        card=PATHS.run + "card.json",
        history=PATHS.run + "history.parquet",
    log:
        PATHS.log("{task}-{len}s/{run}/seed{seed}.train"),
    benchmark:
        PATHS.benchmark("{task}-{len}s/{run}/seed{seed}.train")
    wildcard_constraints:
        task="detection|classification",
    threads: of_each(CFG.device.threads)
    resources:
        gpu=of_each(GPU),
        mem_mb=NEEDS.memory("train"),
        runtime=NEEDS.minutes("train"),
    params:
        settings=settings(job_settings.train, "run", "task", "len", "seed"),
        code=code("train", run_model, "training.worker"),
        start=lambda wildcards, input: " ".join(
            f"--{name} {input[name]}"
            for name in ("encoder", "detector")
            if name in input.keys()
        ),
    message:
        "{wildcards.corpus}: train {wildcards.run} for {wildcards.len}-s {wildcards.task}, seed {wildcards.seed}"
    shell:
        "python -m pipeline.stages.train --settings {params.settings:q} --code {params.code} --log {log}"
        " --memory-gb {CFG.device.memory_gb}"
        " --features {input.features} --clips {input.clips} --graphs {input.graphs} --scaler {input.scaler}"
        " {params.start} --checkpoints {PATHS.checkpoints} --checkpoint-minutes {CFG.training.checkpoint_minutes}"
        " --model {output.model} --card {output.card}"
        " --history {output.history}"
