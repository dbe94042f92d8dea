# Scores of a run over its seeds, with patient-bootstrap intervals; needs the proof that the splits do not leak.
def of_seeds(wildcards, name):
    """One file of a run for each of its seeds in the plan."""
    seeds = seeds_of(
        wildcards.corpus, wildcards.run, wildcards.task, int(wildcards.len)
    )
    folder = RUN.format(**{**wildcards, "seed": "{seed}"})
    return [folder.format(seed=seed) + name for seed in seeds]


rule evaluate:
    input:
        predictions=lambda wildcards: of_seeds(wildcards, "predictions.parquet"),
        cards=lambda wildcards: of_seeds(wildcards, "card.json"),
        splits=PATHS.of("splits.parquet"),
    output:
        metrics=PATHS.of("{task}-{len}s/{run}/metrics.parquet"),
        curves=PATHS.of("{task}-{len}s/{run}/curves.json"),
    log:
        PATHS.log("{task}-{len}s/{run}/evaluate"),
    benchmark:
        PATHS.benchmark("{task}-{len}s/{run}/evaluate")
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        settings=settings(
            lambda run, task, length: job_settings.evaluate(CFG, run, task, length),
            "run",
            "task",
            "len",
        ),
        code=code("evaluate"),
    message:
        "{wildcards.corpus}: score {wildcards.run} on {wildcards.len}-s {wildcards.task}"
    shell:
        "python -m pipeline.stages.evaluate --settings {params.settings:q} --code {params.code} --log {log}"
        " --predictions {input.predictions} --cards {input.cards} --splits {input.splits}"
        " --metrics {output.metrics} --curves {output.curves}"
