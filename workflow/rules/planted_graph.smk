# A graph that was planted: does learning one help there, and is it the planted one? (--configfile presets/planted-graph)
from functools import partial

from workflow.lib import planted

try:
    planted.check(CFG)
except planning.PlanError as error:
    raise WorkflowError(f"config.yaml (with its overlays):\n{error}")

PLANTED = planted.targets(CFG, CORPORA)
PLANTED_FOLDER = planted.folder(CFG) + "/"


def of_planted(target):
    """Files of a part of the target; a corpus without a planted graph stops here, in plain words."""

    def files(wildcards):
        try:
            return PLANTED.inputs(target)
        except planning.PlanError as error:
            raise WorkflowError(f"config.yaml (with its overlays):\n{error}")

    return files


rule planted_ablation:
    input:
        content=of_planted(planted.ABLATION),
    output:
        table=PLANTED_FOLDER + "graph_ablation.parquet",
        text=PLANTED_FOLDER + "graph_ablation.csv",
        content=PLANTED_FOLDER + "graph_ablation.json",
        picture=PLANTED_FOLDER + "figures/graph_ablation.png",
        numbers=PLANTED_FOLDER + "figures/graph_ablation.json",
    log:
        PLANTED_FOLDER + "logs/planted_ablation.log",
    benchmark:
        PLANTED_FOLDER + "benchmarks/planted_ablation.tsv"
    threads: 1
    resources:
        mem_mb=NEEDS.memory("planted_ablation"),
        runtime=NEEDS.minutes("planted_ablation"),
    params:
        settings=settings(partial(job_settings.graph_ablation, schemes=())),
        code=code("graph_ablation"),
        inventory=lambda wildcards: PLANTED.write(planted.ABLATION),
        digest=lambda wildcards: PLANTED.digest(planted.ABLATION),
    message:
        "learned graph against fixed ones on {CFG.corpus}"
    shell:
        "python -m pipeline.stages.graph_ablation --settings {params.settings:q} --code {params.code} --log {log}"
        " --inventory {params.inventory} --out $(dirname {output.table})"


rule planted_graph:
    input:
        content=of_planted(planted.EDGES),
        ablation=rules.planted_ablation.output.content,
        pictures=[
            rules.planted_ablation.output.picture,
            rules.planted_ablation.output.numbers,
        ],
        resources=REPORT_RESOURCES,
    output:
        table=PLANTED_FOLDER + "planted_graph.parquet",
        text=PLANTED_FOLDER + "planted_graph.csv",
        picture=PLANTED_FOLDER + "planted_graph.png",
        numbers=PLANTED_FOLDER + "planted_graph.json",
        page=report(PLANTED_FOLDER + "index.html", category="sglc"),
    log:
        PLANTED_FOLDER + "logs/planted_graph.log",
    benchmark:
        PLANTED_FOLDER + "benchmarks/planted_graph.tsv"
    threads: CFG.device.threads
    resources:
        mem_mb=NEEDS.memory("planted_graph"),
        runtime=NEEDS.minutes("planted_graph"),
    params:
        settings=settings(job_settings.planted_graph),
        code=code(
            "planted_graph", model_code(CFG.runs[CFG.planted_graph.learned].model)
        ),
        inventory=lambda wildcards: PLANTED.write(planted.EDGES),
        digest=lambda wildcards: PLANTED.digest(planted.EDGES),
    message:
        "learned edges against the planted ones on {CFG.corpus}"
    shell:
        "python -m pipeline.stages.planted_graph --settings {params.settings:q} --code {params.code} --log {log}"
        " --inventory {params.inventory} --ablation {input.ablation} --out $(dirname {output.table})"
