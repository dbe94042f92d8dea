# SOZ, intracranial EEG: which contacts lie in the seizure onset zone (docs/soz.md). Targets: soz, soz_ablations.
from workflow.lib import job_settings_soz, soz

SOZ_PATHS = soz.SozPaths(CFG.results)
SOZ = soz.SozInputs(CFG, CORPORA, SOZ_PATHS)
SOZ_READ = CORPORA.pattern(soz.intracranial(CFG))  # corpora whose shards are read


wildcard_constraints:
    tokens=soz.TOKENS,
    dealt=soz.DEALT,
    pretrained=soz.ENCODER,
    fold="[0-9]+",
    patient=soz.PATIENT,


include: "soz_data.smk"
include: "soz_tokens.smk"
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


soz_pages = soz_target(lambda: SOZ.page_files(CFG.soz.run))


def soz_beside(wildcards):
    """What the target `all` builds of it: soz.beside."""
    return soz_pages(wildcards) if CFG.soz.beside == CFG.corpus else []


rule:
    name:
        "soz"
    input:
        soz_pages,
    message:
        "which contacts lie in the seizure onset zone"
