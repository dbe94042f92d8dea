"""Ictograph: EEG from EDF files to detection, classification, localisation maps and a report. Contents page."""

from snakemake.utils import min_version

min_version("9.11")


include: "workflow/rules/guard.smk"


configfile: "config.yaml"


include: "workflow/rules/setup.smk"
include: "workflow/rules/provenance.smk"
include: "workflow/rules/simulate.smk"
include: "workflow/rules/index.smk"
include: "workflow/rules/ingest.smk"
include: "workflow/rules/check_splits.smk"
include: "workflow/rules/qc_page.smk"
include: "workflow/rules/clips.smk"
include: "workflow/rules/features.smk"
include: "workflow/rules/graphs.smk"
include: "workflow/rules/scaler.smk"
include: "workflow/rules/pretrain.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/predict.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/occlude.smk"
include: "workflow/rules/localise.smk"
include: "workflow/rules/learned_graphs.smk"
include: "workflow/rules/record_split.smk"
include: "workflow/rules/experiments.smk"
include: "workflow/rules/trial_summary.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/real_segments.smk"
include: "workflow/rules/paper.smk"
include: "workflow/rules/compare.smk"
include: "workflow/rules/search.smk"
include: "workflow/rules/compat_report.smk"
include: "workflow/rules/sglc.smk"
include: "workflow/rules/planted_graph.smk"
include: "workflow/rules/soz.smk"


rule all:
    default_target: True
    input:
        INPUTS.plan_outputs(CFG.corpus, CFG.plan),
        f"{CFG.results}/{CFG.corpus}/report/index.html",
        soz_beside,
    message:
        "everything that the plan of config.yaml asks for"


rule grid:
    input:
        INPUTS.plan_outputs(CFG.corpus, planning.grid_plan(CFG)),
    message:
        "every run on every task and clip length"
