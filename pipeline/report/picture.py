"""What every picture of the report has in common: a PNG of fixed bytes, its numbers, alt text, a caption that states n.

Fonts are the ones that matplotlib brings; files carry no date; what shows synthetic data says so in the picture.
"""

import hashlib
import io
import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from pipeline.store import replacing, write_json

LEFT, RIGHT, MIDLINE = "#0b5cad", "#b3261e", "#333333"  # the usual blue and red of a double banana; both dark on white
ACCENT, ACCENT_DARK = "#e69f00", "#8a5a00"  # Okabe & Ito's orange, for what the model used
SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000")  # Okabe & Ito, colour-blind-safe
STYLES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)), (0, (8, 2)))  # never colour alone
MARKS = ("o", "s", "^", "D", "v", "P", "X")
VALUE_MAP = "cividis"  # readable with every colour vision and in grey
MARK = "SYNTHETIC DATA"
Layout = Literal["constrained"] | None

_STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "legend.frameon": False,
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "text.color": "#1a1a1a",
    "svg.hashsalt": "ictograph",
    "path.simplify": True,
}


@dataclass(frozen=True)
class Picture:
    """One figure: `name` is its file name without suffix, `numbers` all that it shows."""

    name: str
    title: str
    caption: str
    alt: str
    numbers: dict[str, Any]
    png: bytes

    def write(self, folder: Path) -> None:
        """Write `<name>.png` and, beside it, `<name>.json` with numbers, title, caption and alt text."""
        with replacing(folder / f"{self.name}.png") as temporary:
            temporary.write_bytes(self.png)
        words = {"title": self.title, "caption": self.caption, "alt": self.alt}
        write_json(folder / f"{self.name}.json", {**words, "numbers": self.numbers})


@contextmanager
def drawing(width_in: float, height_in: float, *, layout: Layout = "constrained") -> Iterator[Figure]:
    """Yield an empty figure in the report's style; call `finish` inside the block. `layout` None: axes by hand."""
    with matplotlib.rc_context(_STYLE):
        yield Figure(figsize=(width_in, height_in), layout=layout)


def finish(figure: Figure, *, synthetic: bool, dpi: int, colours: int | None = 256) -> bytes:
    """The figure as PNG bytes, marked if synthetic; a palette makes it about a third of the size (None: no palette)."""
    if synthetic:
        mark_synthetic(figure)
    raw = io.BytesIO()
    figure.savefig(raw, format="png", dpi=dpi, metadata={"Software": None})
    image = Image.open(io.BytesIO(raw.getvalue())).convert("RGB")
    small = io.BytesIO()
    if colours is not None:
        image = image.quantize(colours, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    image.save(small, "PNG", optimize=True)
    return small.getvalue()


def mark_synthetic(figure: Figure) -> None:
    """Write SYNTHETIC DATA in a box at the top right corner."""
    box = {"boxstyle": "square,pad=0.3", "facecolor": "#fff3bf", "edgecolor": "#1a1a1a", "linewidth": 0.8}
    top = 1 - 0.045 / float(figure.get_figheight())  # as far from the edge in a tall picture as in a flat one
    figure.text(0.995, top, MARK, ha="right", va="top", fontsize=8, weight="bold", bbox=box, zorder=20)


def slug(text: str) -> str:
    """A name fit for a file: lower-case letters, digits and hyphens; a short digest keeps altered names apart."""
    plain = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:60]
    if plain == text:
        return plain
    return f"{plain}-{hashlib.blake2b(text.encode(), digest_size=3).hexdigest()}"


def tidy(value: Any) -> Any:
    """Numbers as they go into JSON: six significant digits, no NaN (None instead), plain Python types."""
    if isinstance(value, dict):
        return {str(key): tidy(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [tidy(inner) for inner in value]
    if isinstance(value, np.ndarray):
        return tidy(value.tolist())
    if isinstance(value, np.bool_ | bool):
        return bool(value)
    if isinstance(value, np.integer | int):
        return int(value)
    if isinstance(value, np.floating | float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value


def plural(count: int, noun: str) -> str:
    """`1 clip`, `2 clips`: every caption states its n."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
