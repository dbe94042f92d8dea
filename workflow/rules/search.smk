# The paper's search of hyper-parameters: trials are runs, ranked on validation clips; nothing of the test is asked for.
TRIALS = [name for name in CFG.runs if name.startswith(TRIAL)]
SEARCH_FOLDER = f"{CFG.results}/{CFG.corpus}/search/"
TRIED = {
    "corpus": CFG.corpus,
    "task": CFG.search.task,
    "len": CFG.search.length_s,
    "seed": CFG.search.seed,
}
TRAINED = PATHS.benchmark("{task}-{len}s/{run}/seed{seed}.train")


rule search:
    input:
        cards=[PATHS.run.format(run=run, **TRIED) + "card.json" for run in TRIALS],
        histories=[
            PATHS.run.format(run=run, **TRIED) + "history.parquet" for run in TRIALS
        ],
    output:
        table=SEARCH_FOLDER + "search.parquet",
        text=SEARCH_FOLDER + "search.csv",
        best=SEARCH_FOLDER + "best.yaml",
        seconds=f"{CFG.results}/{CFG.corpus}/benchmarks/search.seconds.tsv",
    log:
        f"{CFG.results}/{CFG.corpus}/logs/search.log",
    benchmark:
        f"{CFG.results}/{CFG.corpus}/benchmarks/search.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=NEEDS.memory("search"),
        runtime=NEEDS.minutes("search"),
    params:
        settings=settings(job_settings.search_table),
        code=code("search_table"),
        benchmarks=" ".join(TRAINED.format(run=run, **TRIED) for run in TRIALS),
    message:
        "rank {CFG.search.trials} trials of {CFG.search.run} on the validation clips"
    shell:
        "python -m pipeline.stages.search_table --settings {params.settings:q} --code {params.code} --log {log}"
        " --cards {input.cards} --histories {input.histories} --benchmarks {params.benchmarks}"
        " --out $(dirname {output.table}) --seconds {output.seconds}"
