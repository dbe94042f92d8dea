"""Make one shard of a synthetic corpus: EDFs and annotations in a public corpus's format, hidden truth beside them.

In: settings. Out: the manifest of the shard; the tree below --root and --truth. Spec simulator.md.
"""

from pathlib import Path

from pipeline.corpora.shards import manifest_rows, write_manifest
from pipeline.findings import CorpusError
from pipeline.plugins import load_plugin
from pipeline.settings.base import Section, parse_settings
from pipeline.settings.simulation import SimulationSettings
from pipeline.stages.command import StageError, parser, run, start


class Settings(Section):
    """Sections of config.yaml that this stage uses."""

    simulate: SimulationSettings


def main() -> None:
    """Read the options, simulate the patients one after the other, write the manifest."""
    options = parser(__doc__)
    options.add_argument("--root", type=Path, required=True, help="folder of the corpus")
    options.add_argument("--truth", type=Path, required=True, help="folder of the hidden truth")
    options.add_argument("--shard", required=True, help="name of the shard, for the log")
    options.add_argument("--patients", nargs="+", required=True, help="ids of the shard's patients")
    options.add_argument("--manifest", type=Path, required=True, help="TSV with every file made, its size and time")
    args = options.parse_args()
    log = start(args)
    settings = parse_settings(Settings, args.settings).simulate
    corpus = load_plugin("corpora", settings.generator)
    known = {one.patient: one for one in corpus.patients(settings)}
    files = []
    try:
        corpus.write_tree(args.root, settings)
        for patient in args.patients:
            if patient not in known:
                raise StageError(f"--patients: {patient} is not in the cohort of seed {settings.seed}")
            files += corpus.write_patient(args.root, args.truth, settings, known[patient])
            log.info("%s: simulated patient %s (%s)", args.shard, patient, known[patient].kind)
        write_manifest(args.manifest, manifest_rows(args.root, files))
    except CorpusError as error:
        raise StageError(str(error)) from error


if __name__ == "__main__":
    run(main)
