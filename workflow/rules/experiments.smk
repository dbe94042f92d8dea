# Questions put to the trained models: is the geometry used, does pre-training help, is a single channel as good?
COMPARED = ("dist-ssl", "dist-scratch")


def experiment_inputs(wildcards):
    corpus = wildcards.corpus
    inputs = INPUTS.of_model(
        corpus, CFG.runs["dist-ssl"], "detection", 12, "validation", "test"
    )
    inputs["scalers"] = inputs.pop("scaler")
    folders = [f"{CFG.results}/{corpus}/detection-12s/{run}" for run in COMPARED]
    for name, file in (
        ("models", "model.safetensors"),
        ("cards", "card.json"),
        ("predictions", "predictions.parquet"),
    ):
        inputs[name] = [
            f"{folder}/seed{seed}/{file}"
            for run, folder in zip(COMPARED, folders)
            for seed in INPUTS.seeds(corpus, run, "detection", 12)
        ]
    inputs["signals"] = INPUTS.tables(
        PATHS.of("signals/{shard}.zarr.zip"), "validation", "test", corpus=corpus
    )
    inputs["segments"] = INPUTS.tables(
        PATHS.of("signals/{shard}.segments.parquet"),
        "validation",
        "test",
        corpus=corpus,
    )
    inputs["splits"] = f"{CFG.results}/{corpus}/splits.parquet"
    inputs["record_split"] = f"{CFG.results}/{corpus}/record_split.json"
    return inputs | classified_inputs(corpus)


def classified_inputs(corpus):
    """Cards and predictions of the four-class models, where the corpus's plan has them."""
    asked = ("dist-ssl", "classification", 12)
    if asked not in [(e.run, e.task, e.length_s) for e in INPUTS.plan(corpus)]:
        return {}
    folder = f"{CFG.results}/{corpus}/classification-12s/dist-ssl"
    seeds = INPUTS.seeds(corpus, *asked)
    return {
        "classification_cards": [f"{folder}/seed{seed}/card.json" for seed in seeds],
        "classification_predictions": [
            f"{folder}/seed{seed}/predictions.parquet" for seed in seeds
        ],
    }


rule experiments:
    input:
        unpack(experiment_inputs),
    output:
        answers=PATHS.of("experiments.json"),
        table=PATHS.of("experiments.parquet"),
    log:
        PATHS.log("experiments"),
    benchmark:
        PATHS.benchmark("experiments")
    threads: CFG.device.threads
    resources:
        mem_mb=NEEDS.memory("experiments"),
        runtime=NEEDS.minutes("experiments"),
    params:
        settings=settings(job_settings.experiments),
        code=code(
            "experiments", lambda wildcards: model_code(CFG.runs["dist-ssl"].model)
        ),
        classified=lambda wildcards, input: (
            f"--classification-cards {input.classification_cards}"
            f" --classification-predictions {input.classification_predictions}"
            if "classification_cards" in input.keys()
            else ""
        ),
    message:
        "{wildcards.corpus}: is the geometry used, does pre-training help, is one channel as good?"
    shell:
        "python -m pipeline.stages.experiments --settings {params.settings:q} --code {params.code} --log {log}"
        " --memory-gb {CFG.device.memory_gb}"
        " --models {input.models} --cards {input.cards} --predictions {input.predictions}"
        " --features {input.features} --clips {input.clips} --graphs {input.graphs} --scalers {input.scalers}"
        " --signals {input.signals} --segments {input.segments} --record-split {input.record_split}"
        " {params.classified} --out {output.answers} --table {output.table}"
