# All of it for a person to read: tables, figures, one self-contained page.
def report_inputs(wildcards):
    content = inventory(CFG, CORPORA, wildcards.corpus, INPUTS.plan(wildcards.corpus))
    path = inventory_path(CFG, wildcards.corpus)
    if workflow.is_main_process:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_if_changed(path, content)
    return {
        "inventory": str(path),
        "content": files_of(content),
        "resources": REPORT_RESOURCES,
    }


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
        mem_mb=3000,
        runtime=30,
    params:
        settings=settings(lambda: job_settings.report(CFG)),
        code=code("report"),
    message:
        "{wildcards.corpus}: write the report"
    shell:
        "python -m pipeline.stages.report --settings {params.settings:q} --code {params.code} --log {log}"
        " --inventory {input.inventory} --out $(dirname {output.page})"
