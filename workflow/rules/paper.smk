# Every table and every figure of Tang et al., measured beside published, and the scoreboard of all of them.
from workflow.lib import paper

try:
    paper.check(CFG)
except planning.PlanError as error:
    raise WorkflowError(f"config.yaml (with its overlays):\n{error}")

PAPER = paper.targets(CFG, CORPORA)
PAPER_FOLDER = paper.folder(CFG) + "/"


# The inventory is written where the params are asked for: only for what is planned, also by a dry run.
rule paper_table:
    input:
        content=lambda wildcards: PAPER.inputs(wildcards.table),
    output:
        table=PAPER_FOLDER + "{table}.parquet",
        text=PAPER_FOLDER + "{table}.csv",
        cells=PAPER_FOLDER + "{table}.json",
    log:
        PAPER_FOLDER + "logs/{table}.log",
    benchmark:
        PAPER_FOLDER + "benchmarks/{table}.tsv"
    wildcard_constraints:
        table="table[0-9]{2}",
    localrule: True
    threads: 1
    resources:
        mem_mb=NEEDS.memory("paper_table"),
        runtime=NEEDS.minutes("paper_table"),
    params:
        settings=settings(job_settings.paper_table),
        code=code("paper_table"),
        inventory=lambda wildcards: PAPER.write(wildcards.table),
        content=lambda wildcards: PAPER.digest(wildcards.table),
    message:
        "{wildcards.table} of the paper, measured beside published"
    shell:
        "python -m pipeline.stages.paper_table --settings {params.settings:q} --code {params.code} --log {log}"
        " --inventory {params.inventory} --table {wildcards.table} --out $(dirname {output.table})"


rule paper_figure:
    input:
        content=lambda wildcards: PAPER.inputs(wildcards.figure),
    output:
        picture=PAPER_FOLDER + "{figure}.png",
        numbers=PAPER_FOLDER + "{figure}.json",
        table=PAPER_FOLDER + "{figure}.parquet",
        text=PAPER_FOLDER + "{figure}.csv",
    log:
        PAPER_FOLDER + "logs/{figure}.log",
    benchmark:
        PAPER_FOLDER + "benchmarks/{figure}.tsv"
    wildcard_constraints:
        figure="figure[0-9]{2}",
    threads: 1
    resources:
        mem_mb=NEEDS.memory("paper_figure"),
        runtime=NEEDS.minutes("paper_figure"),
    params:
        settings=settings(job_settings.paper_figure),
        code=code("paper_figure"),
        inventory=lambda wildcards: PAPER.write(wildcards.figure),
        content=lambda wildcards: PAPER.digest(wildcards.figure),
    message:
        "{wildcards.figure} of the paper"
    shell:
        "python -m pipeline.stages.paper_figure --settings {params.settings:q} --code {params.code} --log {log}"
        " --inventory {params.inventory} --figure {wildcards.figure} --out $(dirname {output.picture})"


rule scoreboard:
    input:
        tables=expand(PAPER_FOLDER + "{table}.json", table=paper.TABLES),
        figures=expand(
            PAPER_FOLDER + "{figure}.{kind}",
            figure=paper.FIGURES,
            kind=["png", "json"],
        ),
        comparisons=PAPER_FOLDER + "comparisons.parquet",
        resources=REPORT_RESOURCES,
    output:
        page=report(PAPER_FOLDER + "index.html", category="paper"),
        table=PAPER_FOLDER + "scoreboard.parquet",
        text=PAPER_FOLDER + "scoreboard.csv",
    log:
        PAPER_FOLDER + "logs/scoreboard.log",
    benchmark:
        PAPER_FOLDER + "benchmarks/scoreboard.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=NEEDS.memory("scoreboard"),
        runtime=NEEDS.minutes("scoreboard"),
    params:
        settings=settings(job_settings.scoreboard),
        code=code("scoreboard"),
    message:
        "the scoreboard: each published cell beside the measured one"
    shell:
        "python -m pipeline.stages.scoreboard --settings {params.settings:q} --code {params.code} --log {log}"
        " --folder $(dirname {output.page}) --out {output.page}"


# One target of each name; `paper` is all of them, through the scoreboard.
for target, file in [
    *((name, f"{name}.json") for name in paper.TARGETS),
    ("paper", "index.html"),
]:

    rule:
        name:
            target
        input:
            PAPER_FOLDER + file,
