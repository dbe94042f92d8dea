# From an intracranial corpus to clips, per shard: side files, signals, clips (docs/soz.md).
rule soz_index:
    input:
        manifest=PATHS.of("manifests/{shard}.tsv"),
    output:
        **{table: SOZ_PATHS.index(table) for table in soz.INDEX_TABLES},
    log:
        PATHS.log("soz_index/{shard}"),
    benchmark:
        PATHS.benchmark("soz_index/{shard}")
    wildcard_constraints:
        corpus=SOZ_READ,
    threads: 1
    resources:
        mem_mb=NEEDS.memory("soz_index"),
        runtime=NEEDS.minutes("soz_index"),
    params:
        settings=settings(job_settings_soz.soz_index, "corpus"),
        code=code("soz_index", reader),
        adapter=lambda wildcards: soz.adapter_digest(CFG, wildcards.corpus),
        present=SOZ.present,
        root=lambda wildcards: CORPORA.root(wildcards.corpus),
        strict=STRICT,
    message:
        "{wildcards.corpus}: read the side files of {wildcards.shard}: contacts, labels, seizures"
    shell:
        "python -m pipeline.stages.soz_index --settings {params.settings:q} --code {params.code} --log {log}"
        " {params.strict} {params.present} --manifest {input.manifest} --root {params.root:q}"
        " --recordings {output.recordings} --contacts {output.contacts} --patients {output.patients}"
        " --seizures {output.seizures} --findings {output.findings}"


rule soz_ingest:
    input:
        recordings=SOZ_PATHS.index("recordings"),
        contacts=SOZ_PATHS.index("contacts"),
    output:
        signals=PATHS.of("signals/{shard}.zarr.zip"),
        segments=PATHS.of("signals/{shard}.segments.parquet"),
        findings=PATHS.of("signals/{shard}.findings.parquet"),
    log:
        PATHS.log("soz_ingest/{shard}"),
    benchmark:
        PATHS.benchmark("soz_ingest/{shard}")
    wildcard_constraints:
        corpus=SOZ_READ,
    threads: 1
    resources:
        mem_mb=NEEDS.memory("soz_ingest"),
        runtime=NEEDS.minutes("soz_ingest"),
    params:
        settings=settings(job_settings_soz.soz_ingest, "corpus"),
        code=code("soz_ingest"),
        root=lambda wildcards: CORPORA.root(wildcards.corpus),
        strict=STRICT,
    message:
        "{wildcards.corpus}: read and resample the contacts of {wildcards.shard}"
    shell:
        "python -m pipeline.stages.soz_ingest --settings {params.settings:q} --code {params.code} --log {log}"
        " {params.strict} --recordings {input.recordings} --contacts {input.contacts} --root {params.root:q}"
        " --signals {output.signals} --segments {output.segments} --findings {output.findings}"


rule soz_clips:
    input:
        recordings=SOZ_PATHS.index("recordings"),
        segments=PATHS.of("signals/{shard}.segments.parquet"),
        seizures=SOZ_PATHS.index("seizures"),
    output:
        clips=SOZ_PATHS.soz_clips,
        findings=PATHS.of("clips/soz/{shard}.findings.parquet"),
    log:
        PATHS.log("soz_clips/{shard}"),
    benchmark:
        PATHS.benchmark("soz_clips/{shard}")
    wildcard_constraints:
        corpus=SOZ_READ,
    threads: 1
    resources:
        mem_mb=NEEDS.memory("soz_clips"),
        runtime=NEEDS.minutes("soz_clips"),
    params:
        settings=settings(job_settings_soz.soz_clips, "corpus"),
        code=code("soz_clips"),
        strict=STRICT,
    message:
        "{wildcards.corpus}: cut ictal, pre-ictal and interictal clips from {wildcards.shard}"
    shell:
        "python -m pipeline.stages.soz_clips --settings {params.settings:q} --code {params.code} --log {log}"
        " {params.strict} --recordings {input.recordings} --segments {input.segments}"
        " --seizures {input.seizures} --clips {output.clips} --findings {output.findings}"
