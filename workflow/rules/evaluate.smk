# Scores of a run over its seeds, with patient-bootstrap intervals; needs the proof that the splits do not leak.
rule evaluate:
    input:
        unpack(INPUTS.of_evaluation),
    output:
        metrics=PATHS.of("{task}-{len}s/{run}/metrics.parquet"),
        curves=PATHS.of("{task}-{len}s/{run}/curves.json"),
    log:
        PATHS.log("{task}-{len}s/{run}/evaluate"),
    benchmark:
        PATHS.benchmark("{task}-{len}s/{run}/evaluate")
    threads: 1
    resources:
        mem_mb=NEEDS.memory("evaluate"),
        runtime=NEEDS.minutes("evaluate"),
    params:
        settings=settings(job_settings.evaluate, "run", "task", "len", "corpus"),
        code=code("evaluate"),
    message:
        "{wildcards.corpus}: score {wildcards.run} on {wildcards.len}-s {wildcards.task}"
    shell:
        "python -m pipeline.stages.evaluate --settings {params.settings:q} --code {params.code} --log {log}"
        " --predictions {input.predictions} --cards {input.cards} --splits {input.splits}"
        " --seizures {input.seizures}"
        " --metrics {output.metrics} --curves {output.curves}"
