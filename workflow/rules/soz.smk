# SOZ, intracranial EEG: which contacts lie in the seizure onset zone (docs/soz.md). Targets: soz, soz_ablations.
from workflow.lib import job_settings_soz, soz, soz_checks

try:
    soz_checks.check(CFG)
except planning.PlanError as error:
    raise WorkflowError(f"config.yaml (with its overlays):\n{error}")

SOZ_PATHS = soz.SozPaths(CFG.results)
SOZ = soz.SozInputs(CFG, CORPORA, SOZ_PATHS)
SOZ_READ = CORPORA.pattern(soz.intracranial(CFG))  # corpora whose shards are read
SOZ_FITTED = CORPORA.pattern([CFG.soz.corpus])  # the one that the results are of


wildcard_constraints:
    tokens=soz.TOKENS,
    dealt=soz.DEALT,
    fold="[0-9]+",
    patient=soz.PATIENT,


include: "soz_data.smk"
include: "soz_fit.smk"
include: "soz_scores.smk"
include: "soz_graphs.smk"
include: "soz_pages.smk"


ruleorder: soz_index > index
ruleorder: soz_ingest > ingest


def soz_target(make):
    """Files of a target, made when it is asked for; a corpus that is not there stops it in plain words."""

    def files(wildcards):
        try:
            return make()
        except CorpusError as error:
            raise WorkflowError(str(error))

    return files


rule:
    name:
        "soz"
    input:
        soz_target(lambda: SOZ.page_files(CFG.soz.run)),
    message:
        "which contacts lie in the seizure onset zone"


rule:
    name:
        "soz_ablations"
    input:
        SOZ_PATHS.of("soz/ablations.tsv").format(corpus=CFG.soz.corpus),
    message:
        "runs of soz.ablations beside soz.run, on the same folds"
