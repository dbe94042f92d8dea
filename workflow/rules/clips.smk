# Who is tested in one fold of a corpus (corpora.<name>.folds); signals and frames are those of the whole corpus.
rule folds:
    input:
        unpack(INPUTS.of_folds),
    output:
        folds=PATHS.folds,
    log:
        PATHS.log("folds"),
    benchmark:
        PATHS.benchmark("folds")
    wildcard_constraints:
        corpus=CORPORA.pattern(CORPORA.folds()),
    localrule: True
    threads: 1
    resources:
        mem_mb=NEEDS.memory("folds"),
        runtime=NEEDS.minutes("folds"),
    params:
        settings=settings(job_settings.folds, "corpus"),
        code=code("folds"),
        list=lambda wildcards, input: (
            f"--list {input.list}" if "list" in input.keys() else ""
        ),
    message:
        "{wildcards.corpus}: deal the patients of the corpus into folds"
    shell:
        "python -m pipeline.stages.folds --settings {params.settings:q} --code {params.code} --log {log}"
        " --recordings {input.recordings} --seizures {input.seizures} {params.list} --folds {output.folds}"


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
        mem_mb=NEEDS.memory("clips"),
        runtime=NEEDS.minutes("clips"),
    params:
        settings=settings(job_settings.clips, "task", "len"),
        code=code("clips"),
        folds=lambda wildcards, input: (
            f"--folds {input.folds} --split {wildcards.shard.split('-')[0]}"
            if "folds" in input.keys()
            else ""
        ),
    message:
        "{wildcards.corpus}: cut {wildcards.len}-s {wildcards.task} clips from {wildcards.shard}"
    shell:
        "python -m pipeline.stages.clips --settings {params.settings:q} --code {params.code} --log {log}"
        " --segments {input.segments} --seizures {input.seizures} {params.folds}"
        " --clips {output.clips} --findings {output.findings}"
