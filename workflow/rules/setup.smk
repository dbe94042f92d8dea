# What every rule file needs: typed settings, paths, shards, and the two params of every rule (settings=, code=).
import sys
from pathlib import Path
from pipeline.findings import CorpusError
from pipeline.plugins import UnknownPlugin
from pipeline.settings.base import SettingsError
from pipeline.settings.config import parse_config
from pipeline.settings.search import TRIAL
from workflow.lib import job_settings, orphans, planning, run_lock, soz_checks
from workflow.lib.code import code_digest
from workflow.lib.corpus import Corpora, write_if_changed
from workflow.lib.inputs import Inputs
from workflow.lib.inventory import files_of, inventory, inventory_path
from workflow.lib.needs import Needs
from workflow.lib.search import with_trials
from workflow.lib.paths import ENCODER, Paths, run_folder

shell.executable("bash")
# OpenMP threads that wait spin for a moment only: spinning on makes a training many times slower on a busy machine.
shell.prefix(
    f'export PATH="{Path(sys.executable).parent}:$PATH" PYTHONPATH="{workflow.basedir}"'
    " OMP_WAIT_POLICY=PASSIVE GOMP_SPINCOUNT=10000; set -euo pipefail; "
)

try:
    CFG = parse_config(config)
    planning.check(CFG)
    soz_checks.check(CFG)
    CFG = with_trials(CFG)
    CORPORA = Corpora(CFG, workflow.is_main_process)
    # A folder that is not there stops the run here, in plain words.
    CORPORA.shards(CFG.corpus)
except (SettingsError, planning.PlanError, CorpusError, UnknownPlugin) as error:
    raise WorkflowError(f"config.yaml (with its overlays):\n{error}")

CONFIGS = {name: CFG.of(name) for name in CFG.corpora}  # each with its own compat
PATHS = Paths(CFG.results)
ROOT = Path(str(workflow.basedir))
INPUTS = Inputs(CFG, CORPORA, PATHS)
NEEDS = Needs(CFG, CORPORA)  # memory and minutes of every job
# Jobs that want a GPU run one at a time (profile); with `device.device: cpu` none does, and as many as there are cores run.
GPU = 0 if CFG.device.device == "cpu" else 1


def of_each(number, task=None, length_s=None):
    """A function of the wildcards: `number` for each process of the training that they, or task and length, name."""

    def total(wildcards):
        loops = getattr(CFG.training, task or wildcards.task)
        return number * loops[length_s or int(wildcards.len)].processes

    return total


# For stages that use no other setting of signals.
STRICT = "--strict" if CFG.signals.strict else ""


wildcard_constraints:
    corpus="[A-Za-z0-9_.-]+",
    source="[A-Za-z0-9_.-]+",
    shard="(train|validation|test)-[0-9]+",
    task="detection|classification|pretraining",
    len="[0-9]+",
    run="[a-z0-9-]+",
    seed="[0-9]+",
    kind="[a-z0-9_]+",
    grid="grid|classification-[0-9]+s",
    encoder=ENCODER,
    neighbours="(-k[0-9]+)?",


# Of jobs that an intracranial corpus has, too; the others need scalp electrodes.
ANY_CORPUS = (job_settings.simulate, job_settings.check_splits, job_settings.qc_page)


def settings(make, *names):
    """A params function: what `make` gives for the corpus's configuration and the wildcards called `names`."""

    def text(wildcards):
        values = [
            int(wildcards[name]) if name in ("len", "seed", "fold") else wildcards[name]
            for name in names
        ]
        corpus = wildcards.get("corpus", CFG.corpus)
        if make.__module__ == job_settings.__name__ and make not in ANY_CORPUS:
            soz_checks.check_scalp_corpus(CFG, corpus)
        return job_settings.as_text(make(CONFIGS[corpus], *values))

    return text


def code(stage, *plugins):
    """A params function: digest of the stage's code and of the plug-ins, each a name or a function of the wildcards."""

    def digest(wildcards):
        return code_digest(
            ROOT,
            stage,
            *(name if isinstance(name, str) else name(wildcards) for name in plugins),
        )

    return digest


def reader(wildcards):
    return f"corpora.{CFG.corpora[wildcards.corpus].reader}"


def model_code(model):
    """The plug-in behind a section of `models`, as `code` names it."""
    return f"models.{CFG.plugin_of(model)}"


def run_model(wildcards):
    return model_code(CFG.runs[wildcards.run].model)


include: "lock.smk"
include: "budget.smk"
