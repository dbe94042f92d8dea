# What the published defects change: the main corpus and its twin under the published switches, trained alike.
COMPAT_FOLDER = f"{CFG.results}/{CFG.corpus}/paper/"


def compat_inputs(wildcards):
    try:
        return INPUTS.of_compat_report(CFG.corpus, planning.twin_of(CFG))
    except planning.PlanError as error:
        raise WorkflowError(str(error))


rule compat_report:
    input:
        unpack(compat_inputs),
    output:
        table=COMPAT_FOLDER + "compat_report.parquet",
        csv=COMPAT_FOLDER + "compat_report.csv",
        text=COMPAT_FOLDER + "compat_report.txt",
    log:
        f"{CFG.results}/{CFG.corpus}/logs/compat_report.log",
    benchmark:
        f"{CFG.results}/{CFG.corpus}/benchmarks/compat_report.tsv"
    threads: 1
    resources:
        mem_mb=NEEDS.memory("compat_report"),
        runtime=NEEDS.minutes("compat_report"),
    params:
        settings=settings(lambda config: job_settings.compat_report(CFG, INPUTS.seeds)),
        code=code("compat_report"),
    message:
        "what the published defects change on {CFG.corpus}"
    shell:
        "python -m pipeline.stages.compat_report --settings {params.settings:q} --code {params.code} --log {log}"
        " --default-predictions {input.default_predictions} --default-cards {input.default_cards}"
        " --published-predictions {input.published_predictions} --published-cards {input.published_cards}"
        " --out $(dirname {output.table})"
