# Paired differences between runs, Holm-corrected within each table of the paper (docs/statistics.md).
from workflow.lib import comparisons


def compared():
    try:
        return comparisons.inventory(CFG)
    except planning.PlanError as error:
        raise WorkflowError(f"config.yaml (with its overlays):\n{error}")


def compared_inventory(wildcards):
    """Written where it is asked for: only what is planned, also by a dry run."""
    path = Path(PAPER_FOLDER, "inventories", "comparisons.json")
    if workflow.is_main_process:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_if_changed(path, compared())
    return str(path)


rule compare:
    input:
        splits=lambda wildcards: compared()["splits"],
        runs=lambda wildcards: files_of(compared()["runs"]),
    output:
        table=PAPER_FOLDER + "comparisons.parquet",
        text=PAPER_FOLDER + "comparisons.csv",
    log:
        PAPER_FOLDER + "logs/comparisons.log",
    benchmark:
        PAPER_FOLDER + "benchmarks/comparisons.tsv"
    threads: 1
    resources:
        mem_mb=NEEDS.memory("compare"),
        runtime=NEEDS.minutes("compare"),
    params:
        settings=settings(job_settings.compare),
        code=code("compare"),
        inventory=compared_inventory,
        pairs=lambda wildcards: job_settings.as_text({"pairs": compared()["pairs"]}),
    message:
        "compare runs in pairs, over patients and seeds"
    shell:
        "python -m pipeline.stages.compare --settings {params.settings:q} --code {params.code} --log {log}"
        " --inventory {params.inventory} --out $(dirname {output.table})"
