# Stops on a patient, or on the same samples, in two splits. An input of evaluate: where data leak, no number comes out.
rule check_splits:
    input:
        unpack(INPUTS.of_splits),
    output:
        splits=PATHS.of("splits.parquet"),
        findings=PATHS.of("splits.findings.parquet"),
    log:
        PATHS.log("check_splits"),
    benchmark:
        PATHS.benchmark("check_splits")
    localrule: True
    threads: 1
    resources:
        mem_mb=NEEDS.memory("check_splits"),
        runtime=NEEDS.minutes("check_splits"),
    params:
        settings=settings(job_settings.check_splits, "corpus"),
        code=code("check_splits"),
        dealing=lambda wildcards, input: (
            f"--dealing {input.dealing}" if "dealing" in input.keys() else ""
        ),
        folds=lambda wildcards, input: (
            f"--folds {input.folds}" if "folds" in input.keys() else ""
        ),
        strict=STRICT,
    message:
        "{wildcards.corpus}: no patient and no recording may be in two splits"
    shell:
        "python -m pipeline.stages.check_splits --settings {params.settings:q} --code {params.code} --log {log}"
        " --segments {input.segments} --earlier {input.earlier} {params.dealing} {params.folds} {params.strict}"
        " --findings {output.findings} --splits {output.splits}"


# Weights that were learnt on another corpus: no patient of that training may be tested here. An input of evaluate, too.
rule check_source:
    input:
        unpack(INPUTS.of_source),
    output:
        proof=PATHS.source,
    log:
        PATHS.log("check_source/{source}"),
    benchmark:
        PATHS.benchmark("check_source/{source}")
    localrule: True
    threads: 1
    resources:
        mem_mb=NEEDS.memory("check_source"),
        runtime=NEEDS.minutes("check_source"),
    params:
        settings=settings(job_settings.check_source, "corpus", "source"),
        code=code("check_source"),
    message:
        "{wildcards.corpus}: no test patient may have been learnt from on {wildcards.source}"
    shell:
        "python -m pipeline.stages.check_source --settings {params.settings:q} --code {params.code} --log {log}"
        " --learnt {input.learnt} --learnt-splits {input.learnt_splits}"
        " --tested {input.tested} --tested-splits {input.tested_splits} --out {output.proof}"
