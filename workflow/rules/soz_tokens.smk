# What a model of the SOZ arm reads, per shard: wavelet packets of every contact and clip (docs/soz.md).
rule soz_tokens:
    input:
        signals=PATHS.of("signals/{shard}.zarr.zip"),
        clips=SOZ_PATHS.soz_clips,
        contacts=SOZ_PATHS.index("contacts"),
        recordings=SOZ_PATHS.index("recordings"),
    output:
        tokens=SOZ_PATHS.tokens,
        rows=SOZ_PATHS.rows,
    log:
        PATHS.log("soz_tokens/{tokens}/{shard}"),
    benchmark:
        PATHS.benchmark("soz_tokens/{tokens}/{shard}")
    wildcard_constraints:
        corpus=SOZ_READ,
    threads: 1
    resources:
        mem_mb=NEEDS.memory("soz_tokens"),
        runtime=NEEDS.minutes("soz_tokens"),
    params:
        settings=settings(job_settings_soz.soz_tokens, "tokens"),
        code=code("soz_tokens"),
    message:
        "{wildcards.corpus}: wavelet-packet tokens of every contact and clip of {wildcards.shard}"
    shell:
        "python -m pipeline.stages.soz_tokens --settings {params.settings:q} --code {params.code} --log {log}"
        " --signals {input.signals} --clips {input.clips} --contacts {input.contacts}"
        " --recordings {input.recordings} --tokens {output.tokens} --rows {output.rows}"
