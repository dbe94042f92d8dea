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
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
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
