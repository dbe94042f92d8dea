"""Where the electrodes of the 10-20 system lie on the unit sphere, and which are mirror images: plain tables.

Coordinates as Tang et al. 2022 use them, four decimals (x right, y front, z up); rounding is part of the published
graph: with exact angles its weights differ by 2e-5. Apart from electrodes.py so that a plan is checked without numpy.
"""

LEFT = {
    "FP1": (-0.3090, 0.9511, 0.0), "F3": (-0.5489, 0.6717, 0.4975), "C3": (-0.7071, 0.0, 0.7071),
    "P3": (-0.5489, -0.6717, 0.4975), "O1": (-0.3090, -0.9511, 0.0), "F7": (-0.8090, 0.5878, 0.0),
    "T3": (-1.0, 0.0, 0.0), "T5": (-0.8090, -0.5878, 0.0),
}  # fmt: skip
MIDLINE = {"FZ": (0.0, 0.7071, 0.7071), "CZ": (0.0, 0.0, 1.0), "PZ": (0.0, -0.7071, 0.7071)}
MIRROR = {
    "FP1": "FP2", "F3": "F4", "C3": "C4", "P3": "P4", "O1": "O2", "F7": "F8", "T3": "T4", "T5": "T6",
}  # fmt: skip
POSITIONS = {
    **LEFT,
    **{MIRROR[name]: (-x, y, z) for name, (x, y, z) in LEFT.items()},
    **MIDLINE,
}
PARTNER = {**MIRROR, **{right: left for left, right in MIRROR.items()}}


def mirror_name(node: str) -> str:
    """What lies on the other side: `F8` for `F7`, `FP2-F8` for `FP1-F7`; what is on the midline is its own image."""
    return "-".join(PARTNER.get(end, end) for end in node.split("-"))
