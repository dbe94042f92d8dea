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
    inputs["signals"] = INPUTS.every(
        PATHS.of("signals/{shard}.zarr.zip"), "validation", "test", corpus=corpus
    )
    inputs["segments"] = INPUTS.every(
        PATHS.of("signals/{shard}.segments.parquet"),
        "validation",
        "test",
        corpus=corpus,
    )
    inputs["splits"] = f"{CFG.results}/{corpus}/splits.parquet"
    return inputs


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
        mem_mb=4000,
        runtime=60,
    params:
        settings=settings(lambda: job_settings.experiments(CFG)),
        code=code(
            "experiments", lambda wildcards: f"models.{CFG.runs['dist-ssl'].model}"
        ),
    message:
        "{wildcards.corpus}: is the geometry used, does pre-training help, is one channel as good?"
    shell:
        "python -m pipeline.stages.experiments --settings {params.settings:q} --code {params.code} --log {log}"
        " --models {input.models} --cards {input.cards} --predictions {input.predictions}"
        " --features {input.features} --clips {input.clips} --graphs {input.graphs} --scalers {input.scalers}"
        " --signals {input.signals} --segments {input.segments} --out {output.answers} --table {output.table}"


rule trial_summary:
    input:
        experiments=[
            f"{CFG.results}/{corpus}/experiments.json" for corpus in CFG.trial.corpora
        ],
        localisation=[
            f"{CFG.results}/{corpus}/{run_folder(entry)}/localisation.json"
            for corpus in CFG.trial.corpora
            for entry in CFG.trial.plan
            if entry.maps and entry.task == "detection"
        ],
        metrics=[
            f"{CFG.results}/{corpus}/{run_folder(entry)}/metrics.parquet"
            for corpus in CFG.trial.corpora
            for entry in CFG.trial.plan
        ],
    output:
        answers=f"{CFG.results}/trial/trial.json",
        table=f"{CFG.results}/trial/trial.parquet",
    log:
        f"{CFG.results}/trial/logs/trial_summary.log",
    benchmark:
        f"{CFG.results}/trial/benchmarks/trial_summary.tsv"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=20,
    params:
        settings=settings(lambda: job_settings.trial_summary(CFG)),
        code=code("trial_summary"),
    message:
        "unseen corpora, patients pooled: what holds and what does not"
    shell:
        "python -m pipeline.stages.trial_summary --settings {params.settings:q} --code {params.code} --log {log}"
        " --experiments {input.experiments} --localisations {input.localisation}"
        " --metrics {input.metrics} --out {output.answers} --table {output.table}"
