# A simulated corpus: EDF files and annotations of one shard's patients, and the manifest that lists them.
rule simulate:
    output:
        manifest=PATHS.of("manifests/{shard}.tsv"),
    log:
        PATHS.log("simulate/{shard}"),
    benchmark:
        PATHS.benchmark("simulate/{shard}")
    wildcard_constraints:
        corpus=CORPORA.pattern(CORPORA.simulated()),
    threads: 1
    resources:
        mem_mb=NEEDS.memory("simulate"),
        runtime=NEEDS.minutes("simulate"),
    params:
        settings=settings(job_settings.simulate, "corpus"),
        code=code(
            "simulate",
            lambda wildcards: f"corpora.{CFG.corpora[wildcards.corpus].simulate.generator}",
        ),
        patients=lambda wildcards: CORPORA.shards(wildcards.corpus).patients[
            wildcards.shard
        ],
    message:
        "{wildcards.corpus}: simulate the EEG of shard {wildcards.shard} (synthetic)"
    shell:
        "python -m pipeline.stages.simulate --settings {params.settings:q} --code {params.code} --log {log}"
        " --root {CFG.results}/{wildcards.corpus}/corpus --truth {CFG.results}/{wildcards.corpus}/truth"
        " --shard {wildcards.shard} --patients {params.patients} --manifest {output.manifest}"
