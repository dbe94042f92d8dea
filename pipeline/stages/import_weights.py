"""Turn a checkpoint that Tang et al. published (github tsy935/eeg-gnn-ssl) into an encoder of this project. By hand.

    python -m pipeline.stages.import_weights FILE [--length-s 12] [--out FOLDER]

In: a pre-trained encoder and decoder as torch wrote it. Out: FOLDER/encoder.safetensors and card.json, from which a run
with `init: imported, weights: FOLDER/encoder.safetensors` starts. Nothing in the file is executed; a file that is none
of the published ones is refused, with the reason. See docs/published-weights.md.
"""

import argparse
import re
from pathlib import Path

from pipeline.stages.command import StageError, run, start
from pipeline.store import digest_file, write_json
from pipeline.training.imported_card import SEEN
from pipeline.training.model_io import save_weights
from pipeline.training.published_card import SCALERS, published_card
from pipeline.training.published_weights import Published, RefusedCheckpoint, read_checkpoint

OUT = Path("results", "imported")
_SECONDS = re.compile(r"(?<!\d)(\d+) ?s(?![a-z])", re.IGNORECASE)


def options() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("file", type=Path, metavar="FILE", help="the checkpoint")
    add("--out", type=Path, default=None, metavar="FOLDER", help=f"default: {OUT}/<graph>-<length>s")
    add(
        "--length-s", type=int, default=None, choices=sorted(SCALERS),
        help="seconds of its clips; weights do not show them. Default: what the file's name says (…12s…)",
    )  # fmt: skip
    add("--log", type=Path, default=None, help="also write the log to this file")
    return parser


def main() -> None:
    """Read, check, write."""
    arguments = options().parse_args()
    logger = start(arguments)
    try:
        published = read_checkpoint(arguments.file)
    except RefusedCheckpoint as error:
        raise StageError(str(error)) from None
    length_s = arguments.length_s or length_in(arguments.file.name)
    out = arguments.out or OUT / f"{published.graph}-{length_s}s"
    write(out, published, length_s, file=arguments.file)
    if not published.tied:
        logger.warning("decoder layers 2 and 3 differ; in every published file they are one: kept apart")
    logger.warning("%s", SEEN)
    logger.info("%s: %s graph, %d s clips; see docs/published-weights.md", out, published.graph, length_s)


def length_in(name: str) -> int:
    """Seconds of the clips by the file's name. Raises StageError where it names none, several or another length."""
    found = {int(text) for text in _SECONDS.findall(name)}
    if len(found) != 1 or not found <= SCALERS.keys():
        raise StageError(f"{name}: the name does not say whether its clips have 12 or 60 s; give --length-s")
    return found.pop()


def write(out: Path, published: Published, length_s: int, *, file: Path) -> None:
    """The encoder and its card."""
    if out.exists() and not out.is_dir():
        raise StageError(f"--out {out} is a file; give a folder")
    card = published_card(published, length_s, file_name=file.name, digest=digest_file(file))
    save_weights(out / "encoder.safetensors", published.weights)
    write_json(out / "card.json", card)


if __name__ == "__main__":
    run(main)
