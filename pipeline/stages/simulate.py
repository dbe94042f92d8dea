"""Make one shard of a synthetic corpus: EDFs and annotations in a public corpus's format, hidden truth beside them.

In: settings. Out: the manifest of the shard; the tree below --root and --truth. Spec simulator.md.
"""

from pathlib import Path
from typing import Any

from pipeline.corpora.shards import manifest_rows, write_manifest
from pipeline.findings import CorpusError
from pipeline.plugins import load_plugin
from pipeline.settings.base import Section, SettingsError, parse_section, parse_settings
from pipeline.stages.command import StageError, parser, run, start


class Settings(Section):
    """Sections of config.yaml that this stage uses."""

    simulate: dict[str, Any]  # of the generator that it names: typed by its SETTINGS


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
    values = parse_settings(Settings, args.settings).simulate
    if not isinstance(values.get("generator"), str):
        raise SettingsError("--settings: simulate.generator: this key is missing")
    corpus = load_plugin("corpora", values["generator"])
    settings = parse_section(corpus.SETTINGS, values, where="simulate")
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
