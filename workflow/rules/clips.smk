# Which seconds of which recording form one sample, and its label.
rule clips:
    input:
        unpack(INPUTS.of_clips),
    output:
        clips=PATHS.clips,
        findings=PATHS.of("clips/{task}-{len}s/{shard}.findings.parquet"),
    log:
        PATHS.log("clips/{task}-{len}s/{shard}"),
    benchmark:
        PATHS.benchmark("clips/{task}-{len}s/{shard}")
    threads: 1
    resources:
        mem_mb=1000,
        runtime=20,
    params:
        settings=settings(job_settings.clips, "task", "len"),
        code=code("clips"),
    message:
        "{wildcards.corpus}: cut {wildcards.len}-s {wildcards.task} clips from {wildcards.shard}"
    shell:
        "python -m pipeline.stages.clips --settings {params.settings:q} --code {params.code} --log {log}"
        " --segments {input.segments} --seizures {input.seizures}"
        " --clips {output.clips} --findings {output.findings}"
