"""Attention graphs of one patient as GraphML and TSV, in one ZIP file (spec soz.md, section 11).

In: stores of graphs of all folds and seeds of a run, channel_soz.tsv, and cohort.json, which knows whether there are
simulated recordings. Out: the ZIP. The graphs are of the first store that has the patient: of the model that tested it,
first seed; heads of other seeds are other heads.
"""

from pathlib import Path

import pandas as pd

from pipeline.explain.soz_graph_files import Origin, write_graph_files
from pipeline.explain.soz_graph_store import graphs_of
from pipeline.stages import command
from pipeline.store import read_json


def probabilities(path: Path, patient: str) -> dict[str, float]:
    """p_cal by channel of a patient, from channel_soz.tsv. Raises StageError where a column is missing."""
    table = pd.read_csv(path, sep="\t", dtype="string", keep_default_na=False)
    if missing := sorted({"participant_id", "channel", "p_cal"} - set(table.columns)):
        raise command.StageError(f"{path}: no column {', '.join(missing)}; build channel_soz.tsv anew")
    own = table[table["participant_id"].isin([patient, f"sub-{patient}"])]
    values = pd.to_numeric(own["p_cal"], errors="coerce")
    return {str(channel): float(p) for channel, p in zip(own["channel"], values, strict=True) if pd.notna(p)}


def main() -> None:
    """Read, write."""
    parser = command.parser(__doc__)
    parser.add_argument("--patient", required=True)
    parser.add_argument("--attention", type=Path, nargs="+", required=True)
    for name in ("channels", "summary", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    arguments = parser.parse_args()
    log = command.start(arguments)
    graphs, model = graphs_of(arguments.attention, arguments.patient)
    p_cal = probabilities(arguments.channels, arguments.patient)
    synthetic = bool(read_json(arguments.summary)["synthetic"])
    origin = None if model is None else Origin(model.model_hash, model.fold, model.seed, p_cal, synthetic)
    log.info("%s: %d graphs", arguments.patient, write_graph_files(arguments.out, graphs, origin))


if __name__ == "__main__":
    command.run(main)
