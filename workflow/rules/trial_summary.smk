# Over the unseen corpora of the trial: the questions once more, patients pooled.
rule trial_summary:
    input:
        experiments=[
            f"{CFG.results}/{corpus}/experiments.parquet"
            for corpus in CFG.trial.corpora
        ],
        record_splits=[
            f"{CFG.results}/{corpus}/record_split.parquet"
            for corpus in CFG.trial.corpora
        ],
        localisation=[
            f"{CFG.results}/{corpus}/{run_folder(entry)}/localisation.parquet"
            for corpus in CFG.trial.corpora
            for entry in CFG.trial.plan
            if entry.maps and entry.task == "detection"
        ],
        metrics=[
            f"{CFG.results}/{corpus}/{run_folder(entry)}/metrics.parquet"
            for corpus in CFG.trial.corpora
            for entry in CFG.trial.plan
        ],
    output:
        answers=f"{CFG.results}/trial/trial.json",
        table=f"{CFG.results}/trial/trial.parquet",
    log:
        f"{CFG.results}/trial/logs/trial_summary.log",
    benchmark:
        f"{CFG.results}/trial/benchmarks/trial_summary.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=NEEDS.memory("trial_summary"),
        runtime=NEEDS.minutes("trial_summary"),
    params:
        settings=settings(job_settings.trial_summary),
        code=code("trial_summary"),
    message:
        "unseen corpora, patients pooled: what holds and what does not"
    shell:
        "python -m pipeline.stages.trial_summary --settings {params.settings:q} --code {params.code} --log {log}"
        " --experiments {input.experiments} --localisations {input.localisation}"
        " --record-splits {input.record_splits} --metrics {input.metrics} --out {output.answers} --table {output.table}"


rule:
    name:
        "trial"
    input:
        f"{CFG.results}/trial/trial.json",
        [f"{CFG.results}/{corpus}/report/index.html" for corpus in CFG.trial.corpora],
    message:
        "unseen corpora (--configfile workflow/presets/trial.yaml): what holds and what does not"
