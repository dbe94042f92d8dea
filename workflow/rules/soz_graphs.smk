# Which contact attends to which: graphs, their nulls and their faithfulness, and a file of edges a patient (docs/soz.md).
rule soz_attention:
    input:
        unpack(SOZ.of_attention),
    output:
        attention=SOZ_PATHS.model + "attention.zarr.zip",
        measures=SOZ_PATHS.model + "attention.parquet",
        faithfulness=SOZ_PATHS.model + "faithfulness.parquet",
    log:
        PATHS.log("soz/{run}/fold{fold}/seed{seed}.soz_attention"),
    benchmark:
        PATHS.benchmark("soz/{run}/fold{fold}/seed{seed}.soz_attention")
    threads: CFG.device.threads
    resources:
        mem_mb=NEEDS.memory("soz_attention"),
        runtime=NEEDS.minutes("soz_attention"),
    params:
        settings=settings(job_settings_soz.soz_attention),
        code=code("soz_attention"),
        encoder=lambda wildcards, input: (
            f"--encoder {input.encoder}" if "encoder" in input.keys() else ""
        ),
    message:
        "{wildcards.corpus}: attention graphs of {wildcards.run}, fold {wildcards.fold}, seed {wildcards.seed}"
    shell:
        "python -m pipeline.stages.soz_attention --settings {params.settings:q} --code {params.code} --log {log}"
        " --tokens {input.tokens} --rows {input.rows} --folds {input.folds} --model {input.model} --card {input.card}"
        " --signals {input.signals} --clips {input.clips} {params.encoder}"
        " --attention {output.attention} --measures {output.measures} --faithfulness {output.faithfulness}"


rule soz_shafts:
    input:
        unpack(SOZ.of_predict),
    output:
        shafts=SOZ_PATHS.model + "shafts.parquet",
    log:
        PATHS.log("soz/{run}/fold{fold}/seed{seed}.soz_shafts"),
    benchmark:
        PATHS.benchmark("soz/{run}/fold{fold}/seed{seed}.soz_shafts")
    threads: CFG.device.threads
    resources:
        mem_mb=NEEDS.memory("soz_shafts"),
        runtime=NEEDS.minutes("soz_shafts"),
    params:
        settings=settings(job_settings_soz.soz_predict),
        code=code("soz_shafts"),
    message:
        "{wildcards.corpus}: contacts without another shaft, {wildcards.run}, fold {wildcards.fold}, seed {wildcards.seed}"
    shell:
        "python -m pipeline.stages.soz_shafts --settings {params.settings:q} --code {params.code} --log {log}"
        " --tokens {input.tokens} --rows {input.rows} --folds {input.folds} --model {input.model} --card {input.card}"
        " --shafts {output.shafts}"


rule soz_connectivity:
    input:
        unpack(SOZ.of_connectivity),
    output:
        edges=SOZ_PATHS.soz + "connectivity/{patient}.zip",
    log:
        PATHS.log("soz_connectivity/{run}/{patient}"),
    benchmark:
        PATHS.benchmark("soz_connectivity/{run}/{patient}")
    threads: 1
    resources:
        mem_mb=NEEDS.memory("soz_connectivity"),
        runtime=NEEDS.minutes("soz_connectivity"),
    params:
        settings=settings(job_settings_soz.soz_connectivity),
        code=code("soz_connectivity"),
    message:
        "{wildcards.corpus}: edges of {wildcards.patient} as GraphML and TSV"
    shell:
        "python -m pipeline.stages.soz_connectivity --settings {params.settings:q} --code {params.code} --log {log}"
        " --patient {wildcards.patient} --attention {input.attention} --channels {input.channels}"
        " --summary {input.summary} --out {output.edges}"
