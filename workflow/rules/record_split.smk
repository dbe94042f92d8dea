# Guard G5: one more model, which has learnt from other recordings of the patients that it is tested on.
def record_split_seed(corpus):
    """The seed whose model, from a split by patient, is compared."""
    return INPUTS.seeds(corpus, "dist-scratch", "detection", 12)[0]


def record_split_inputs(wildcards):
    corpus = wildcards.corpus
    inputs = INPUTS.of_model(
        corpus,
        CFG.runs["dist-scratch"],
        "detection",
        12,
        "train",
        "validation",
        "test",
    )
    folder = f"{CFG.results}/{corpus}/detection-12s/dist-scratch/seed{record_split_seed(corpus)}"
    return inputs | {
        "card": f"{folder}/card.json",
        "predictions": f"{folder}/predictions.parquet",
        "splits": f"{CFG.results}/{corpus}/splits.parquet",
    }


rule record_split:
    input:
        unpack(record_split_inputs),
    output:
        answer=PATHS.of("record_split.json"),
        table=PATHS.of("record_split.parquet"),
    log:
        PATHS.log("record_split"),
    benchmark:
        PATHS.benchmark("record_split")
    threads: of_each(CFG.device.threads, "detection", 12)
    resources:
        gpu=of_each(GPU, "detection", 12),
        mem_mb=NEEDS.memory("record_split"),
        runtime=NEEDS.minutes("record_split"),
    params:
        settings=settings(
            lambda config, corpus: job_settings.record_split(
                config, "dist-scratch", record_split_seed(corpus)
            ),
            "corpus",
        ),
        code=code(
            "record_split",
            lambda wildcards: model_code(CFG.runs["dist-scratch"].model),
            "training.worker",
        ),
    message:
        "{wildcards.corpus}: would a split by recording flatter the model? (trains one more)"
    shell:
        "python -m pipeline.stages.record_split --settings {params.settings:q} --code {params.code} --log {log}"
        " --memory-gb {CFG.device.memory_gb}"
        " --features {input.features} --clips {input.clips} --graphs {input.graphs} --scaler {input.scaler}"
        " --card {input.card} --predictions {input.predictions} --checkpoints {PATHS.checkpoints}"
        " --checkpoint-minutes {CFG.training.checkpoint_minutes}"
        " --out {output.answer} --table {output.table}"
