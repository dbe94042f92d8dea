# All of it for a person to read: tables, figures, one self-contained page.
def report_inputs(wildcards):
    corpus = wildcards.corpus
    soz_checks.check_scalp_corpus(CFG, corpus)
    content = inventory(CFG, CORPORA, corpus, INPUTS.plan(corpus))
    return {
        "inventory": str(inventory_path(CFG, corpus)),
        "content": files_of(content),
        "resources": REPORT_RESOURCES,
    }


# Written while parsing: Snakemake lists folders once, before it asks for a rule's inputs.
if workflow.is_main_process:
    for corpus in (CFG.corpus, *CFG.trial.corpora):
        write_if_changed(
            inventory_path(CFG, corpus),
            inventory(CFG, CORPORA, corpus, INPUTS.plan(corpus)),
        )

REPORT_RESOURCES = sorted(
    str(path.relative_to(ROOT))
    for path in (ROOT / "pipeline" / "report").rglob("*")
    if path.suffix in {".csv", ".html", ".css", ".js"}
)


rule report:
    input:
        unpack(report_inputs),
    output:
        page=report(
            PATHS.of("report/index.html"),
            category="report",
            caption="../report/page.rst",
        ),
    log:
        PATHS.log("report"),
    benchmark:
        PATHS.benchmark("report")
    threads: 1
    resources:
        mem_mb=NEEDS.memory("report"),
        runtime=NEEDS.minutes("report"),
    params:
        settings=settings(job_settings.report),
        code=code("report"),
    message:
        "{wildcards.corpus}: write the report"
    shell:
        "python -m pipeline.stages.report --settings {params.settings:q} --code {params.code} --log {log}"
        " --inventory {input.inventory} --out $(dirname {output.page})"
