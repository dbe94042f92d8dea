# Experiments on the learned graph: seizure types, shares of the labels, graphs that are not learned; their page.
from functools import partial

from workflow.lib import sglc

try:
    sglc.check(CFG)
except planning.PlanError as error:
    raise WorkflowError(f"config.yaml (with its overlays):\n{error}")

SGLC = sglc.targets(CFG, CORPORA)
SGLC_FOLDER = sglc.folder(CFG) + "/"


def of_target(target):
    """Files of a target, and those of its lists of test clips; a run that is not there stops here, by name."""

    def files(wildcards):
        try:
            return [*SGLC.inputs(target), *sglc.list_files(CFG, target)]
        except planning.PlanError as error:
            raise WorkflowError(f"config.yaml (with its overlays):\n{error}")

    return files


def written(target):
    """The inventory is written where this param is asked for: only for what is planned, also by a dry run."""
    return lambda wildcards: SGLC.write(target)


def digested(target):
    return lambda wildcards: SGLC.digest(target)


for target, make in (
    ("sglc_table", job_settings.sglc_table),
    ("label_fraction", job_settings.sglc_table),
    ("graph_ablation", job_settings.graph_ablation),
):

    rule:
        name:
            target
        input:
            content=of_target(target),
        output:
            table=f"{SGLC_FOLDER}{target}.parquet",
            text=f"{SGLC_FOLDER}{target}.csv",
            content=f"{SGLC_FOLDER}{target}.json",
            picture=f"{SGLC_FOLDER}figures/{target}.png",
            numbers=f"{SGLC_FOLDER}figures/{target}.json",
        log:
            f"{SGLC_FOLDER}logs/{target}.log",
        benchmark:
            f"{SGLC_FOLDER}benchmarks/{target}.tsv"
        threads: 1
        resources:
            mem_mb=NEEDS.memory(target),
            runtime=NEEDS.minutes(target),
        params:
            settings=settings(partial(make, schemes=sglc.schemes_of(CFG, target))),
            code=code(target),
            stage=target,
            inventory=written(target),
            digest=digested(target),
        message:
            f"{target} on {CFG.corpus}"
        shell:
            "python -m pipeline.stages.{params.stage} --settings {params.settings:q} --code {params.code} --log {log}"
            " --inventory {params.inventory} --out $(dirname {output.table})"


rule sglc_page:
    input:
        contents=expand(SGLC_FOLDER + "{target}.json", target=sglc.TARGETS),
        pictures=expand(
            SGLC_FOLDER + "figures/{target}.{kind}",
            target=sglc.TARGETS,
            kind=["png", "json"],
        ),
        graphs=of_target(sglc.PAGE),
        resources=REPORT_RESOURCES,
    output:
        page=report(SGLC_FOLDER + "index.html", category="sglc"),
    log:
        SGLC_FOLDER + "logs/sglc_page.log",
    benchmark:
        SGLC_FOLDER + "benchmarks/sglc_page.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=NEEDS.memory("sglc_page"),
        runtime=NEEDS.minutes("sglc_page"),
    params:
        settings=settings(job_settings.sglc_page),
        code=code("sglc_page"),
        inventory=written(sglc.PAGE),
        digest=digested(sglc.PAGE),
    message:
        "the page of the experiments on the learned graph"
    shell:
        "python -m pipeline.stages.sglc_page --settings {params.settings:q} --code {params.code} --log {log}"
        " --folder $(dirname {output.page}) --inventory {params.inventory} --out {output.page}"


rule:
    name:
        sglc.PAGE
    input:
        SGLC_FOLDER + "index.html",
