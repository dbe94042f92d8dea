# One scalar mean and deviation of the features, from the training patients only: the first gather over shards.
rule scaler:
    input:
        unpack(INPUTS.of_scaler),
    output:
        scaler=PATHS.scaler,
    log:
        PATHS.log("scaler/{kind}/{grid}/{task}-{len}s"),
    benchmark:
        PATHS.benchmark("scaler/{kind}/{grid}/{task}-{len}s")
    threads: 1
    resources:
        mem_mb=NEEDS.memory("scaler"),
        runtime=NEEDS.minutes("scaler"),
    params:
        settings=settings(job_settings.scaler, "task", "len"),
        code=code("scaler"),
    message:
        "{wildcards.corpus}: scaler of {wildcards.kind} for {wildcards.len}-s {wildcards.task}, training patients"
    shell:
        "python -m pipeline.stages.scaler --settings {params.settings:q} --code {params.code} --log {log}"
        " --features {input.features} --clips {input.clips} --scaler {output.scaler}"
