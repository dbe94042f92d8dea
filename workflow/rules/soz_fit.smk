# Folds of the patients, and in each of them: pre-training, training with calibration, prediction (docs/soz.md).
rule soz_folds:
    input:
        unpack(SOZ.of_folding),
    output:
        folds=SOZ_PATHS.soz_folds,
        summary=PATHS.of("soz/folds{dealt}.json"),
    log:
        PATHS.log("soz_folds{dealt}"),
    benchmark:
        PATHS.benchmark("soz_folds{dealt}")
    localrule: True
    threads: 1
    resources:
        mem_mb=NEEDS.memory("soz_folds"),
        runtime=NEEDS.minutes("soz_folds"),
    params:
        settings=settings(job_settings_soz.soz_folds, "dealt"),
        code=code("soz_folds"),
        listed=SOZ.listed,
    message:
        "{wildcards.corpus}: deal the patients into folds"
    shell:
        "python -m pipeline.stages.soz_folds --settings {params.settings:q} --code {params.code} --log {log}"
        " {params.listed} --recordings {input.recordings} --contacts {input.contacts} --patients {input.patients}"
        " --folds {output.folds} --summary {output.summary}"


rule soz_pretrain:
    input:
        unpack(SOZ.of_pretrain),
    output:
        encoder=SOZ_PATHS.encoder + "encoder.safetensors",
        card=SOZ_PATHS.encoder + "encoder.json",
        history=SOZ_PATHS.encoder + "pretraining.parquet",
    log:
        PATHS.log("soz/encoders/{pretrained}/fold{fold}/seed{seed}.soz_pretrain"),
    benchmark:
        PATHS.benchmark("soz/encoders/{pretrained}/fold{fold}/seed{seed}.soz_pretrain")
    threads: CFG.device.threads
    resources:
        gpu=GPU,
        mem_mb=NEEDS.memory("soz_pretrain"),
        runtime=NEEDS.minutes("soz_pretrain"),
    params:
        settings=settings(job_settings_soz.soz_pretrain, "pretrained", "fold", "seed"),
        code=code("soz_pretrain"),
    message:
        "{wildcards.corpus}: pre-train encoder {wildcards.pretrained}, fold {wildcards.fold}, seed {wildcards.seed}"
    shell:
        "python -m pipeline.stages.soz_pretrain --settings {params.settings:q} --code {params.code} --log {log}"
        " --tokens {input.tokens} --rows {input.rows} --folds {input.folds} --checkpoints {PATHS.checkpoints}"
        " --encoder {output.encoder} --card {output.card} --history {output.history}"


rule soz_train:
    input:
        unpack(SOZ.of_train),
    output:
        model=SOZ_PATHS.model + "model.safetensors",
        card=SOZ_PATHS.model + "card.json",
        history=SOZ_PATHS.model + "history.parquet",
    log:
        PATHS.log("soz/{run}/fold{fold}/seed{seed}.soz_train"),
    benchmark:
        PATHS.benchmark("soz/{run}/fold{fold}/seed{seed}.soz_train")
    threads: CFG.device.threads
    resources:
        gpu=GPU,
        mem_mb=NEEDS.memory("soz_train"),
        runtime=NEEDS.minutes("soz_train"),
    params:
        settings=settings(job_settings_soz.soz_train, "run", "fold", "seed"),
        code=code("soz_train"),
        encoder=lambda wildcards, input: (
            f"--encoder {input.encoder}" if "encoder" in input.keys() else ""
        ),
    message:
        "{wildcards.corpus}: train {wildcards.run}, fold {wildcards.fold}, seed {wildcards.seed}"
    shell:
        "python -m pipeline.stages.soz_train --settings {params.settings:q} --code {params.code} --log {log}"
        " --tokens {input.tokens} --rows {input.rows} --folds {input.folds} {params.encoder}"
        " --checkpoints {PATHS.checkpoints} --model {output.model} --card {output.card} --history {output.history}"


rule soz_predict:
    input:
        unpack(SOZ.of_predict),
    output:
        predictions=SOZ_PATHS.model + "predictions.parquet",
    log:
        PATHS.log("soz/{run}/fold{fold}/seed{seed}.soz_predict"),
    benchmark:
        PATHS.benchmark("soz/{run}/fold{fold}/seed{seed}.soz_predict")
    threads: CFG.device.threads
    resources:
        mem_mb=NEEDS.memory("soz_predict"),
        runtime=NEEDS.minutes("soz_predict"),
    params:
        settings=settings(job_settings_soz.soz_predict),
        code=code("soz_predict"),
    message:
        "{wildcards.corpus}: predict with {wildcards.run}, fold {wildcards.fold}, seed {wildcards.seed}"
    shell:
        "python -m pipeline.stages.soz_predict --settings {params.settings:q} --code {params.code} --log {log}"
        " --tokens {input.tokens} --rows {input.rows} --folds {input.folds} --model {input.model} --card {input.card}"
        " --predictions {output.predictions}"
