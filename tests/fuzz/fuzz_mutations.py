"""Mutations of valid files: bytes, header fields, lines of text, values of a mapping.

Each is a function of a `random.Random` alone, so that (seed, kind, number) replays one mutation exactly.
"""

import copy
import random
from collections.abc import Callable, Sequence
from typing import Any

NUMBERS = (
    b"0", b"-1", b"1", b"2", b"-0", b"+3", b"256", b"255", b"257", b"32767", b"32768", b"-32768", b"65536", b"1e999",
    b"-1e999", b"nan", b"NaN", b"inf", b"-inf", b"1e308", b"1e-308", b"1e30", b"1e-30", b"1,5", b"0,0", b"0x10",
    b"1_000", b"\xb2", b"99999999", b"9999", b"-9999", b"1/3", b"1/0", b"", b" ", b"\0" * 8, b"--1", b"1.", b".5",
    b"2147483647", b"4294967296", b"9" * 30, b"9" * 400, b"1e400", b"0.1e-7", b"\xff" * 8,
)  # fmt: skip
ODD_TEXTS = (
    "\ufeff", "\u202e", "\u0000", "\u0085", "\u2028", "\x0b", "\x1c", "\u00b2", "\u0661\u0662", "\U0001f9e0", "é",
    "\t", "\r", "\r\n", "\n", "'", '"', "{", "}", "[", "]", ",", ";", ":", "=", "#", "..", "../../x", "=cmd", "%s",
    "{0}", "n/a", "nan", "null", "~", "true", "!!python/object:os.system", "&a", "*a", "<<: *a", "- ", "? ", "|", ">",
    "1:2:3", "2026-02-30", "0o9", "1e999", "-1e999", "-inf", "9" * 400, "9" * 5000, "1_0", "x" * 20000, "[" * 300,
)  # fmt: skip
ODD_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63, 2**64, 10**400, 0.0, -0.0, 0.5, 1e308, float("inf"), float("-inf"),
    float("nan"), "", "x", "nan", "../../x", "/", "\0", "\u202e", "a\tb", "a\nb", "x" * 5000, [], {}, [[]], {"": {}},
    [None], {None: 1}, {1: 2}, [1, "2", 3.0], {"like": "synthetic"}, {"like": "x"}, "12", 12, 60, (), b"bytes",
)  # fmt: skip


def mutate_bytes(
    data: bytes, dice: random.Random, *, fields: Sequence[tuple[int, int]] = (), others: Sequence[bytes] = ()
) -> bytes:
    """One to four changes; of those, with `fields` (offset, width), two in three aim at a field of the header."""
    changed = bytearray(data)
    for _ in range(dice.choice((1, 1, 1, 2, 2, 3, 4))):
        if fields and dice.random() < 0.67:
            offset, width = dice.choice(fields)
            value = dice.choice(NUMBERS) if dice.random() < 0.7 else _noise(dice, width)
            changed[offset : offset + width] = value[:width].ljust(width)
        else:
            dice.choice(_BYTE_CHANGES)(changed, dice, others)
    return bytes(changed)


def _place(data: bytearray, dice: random.Random) -> int:
    return dice.randrange(len(data) + 1) if dice.random() < 0.6 else dice.randrange(min(len(data), 6000) + 1)


def _noise(dice: random.Random, length: int) -> bytes:
    return dice.randbytes(length) if dice.random() < 0.5 else bytes(dice.choices(b"0123456789-+.eE, /:", k=length))


def _flip(data: bytearray, dice: random.Random, _: Sequence[bytes]) -> None:
    if data:
        data[min(_place(data, dice), len(data) - 1)] ^= 1 << dice.randrange(8)


def _overwrite(data: bytearray, dice: random.Random, _: Sequence[bytes]) -> None:
    at, value = _place(data, dice), dice.choice((b"\0", b"\xff", b"-", b"9", dice.choice(NUMBERS), _noise(dice, 16)))
    data[at : at + len(value)] = value


def _insert(data: bytearray, dice: random.Random, _: Sequence[bytes]) -> None:
    at = _place(data, dice)
    data[at:at] = dice.choice((b"\0" * dice.randrange(1, 600), _noise(dice, dice.randrange(1, 40)), b"\xff"))


def _delete(data: bytearray, dice: random.Random, _: Sequence[bytes]) -> None:
    at = _place(data, dice)
    del data[at : at + dice.choice((1, 2, 8, 80, 256, 1000))]


def _truncate(data: bytearray, dice: random.Random, _: Sequence[bytes]) -> None:
    del data[_place(data, dice) :]


def _repeat(data: bytearray, dice: random.Random, _: Sequence[bytes]) -> None:
    at, length = _place(data, dice), dice.choice((1, 8, 16, 256, 2000))
    data[at:at] = data[at : at + length] * dice.choice((1, 1, 3))


def _splice(data: bytearray, dice: random.Random, others: Sequence[bytes]) -> None:
    if others:
        other = dice.choice(others)
        start = dice.randrange(len(other) + 1)
        at, length = _place(data, dice), dice.choice((8, 80, 256, 4096))
        data[at : at + length * dice.randrange(2)] = other[start : start + length]


_BYTE_CHANGES: tuple[Callable[[bytearray, random.Random, Sequence[bytes]], None], ...] = (
    _flip, _flip, _flip, _overwrite, _overwrite, _insert, _delete, _truncate, _repeat, _splice,
)  # fmt: skip


def mutate_text(text: str, dice: random.Random, *, others: Sequence[str] = ()) -> bytes:
    """One to four changes of lines and tokens; one time in five of bytes as well."""
    lines = text.split("\n")
    for _ in range(dice.choice((1, 1, 1, 2, 2, 3, 4))):
        _change_lines(lines, dice, others)
    encoding = dice.choice(("utf-8", "utf-8", "utf-8", "utf-8", "utf-16", "latin-1"))
    data = dice.choice(("\n", "\n", "\n", "\r\n", "\r")).join(lines).encode(encoding, "replace")
    return mutate_bytes(data, dice) if dice.random() < 0.2 else data


def _change_lines(lines: list[str], dice: random.Random, others: Sequence[str]) -> None:
    at = dice.randrange(len(lines))
    change = dice.randrange(9)
    if change == 0:
        lines.insert(dice.randrange(len(lines) + 1), lines[at])
    elif change == 1 and len(lines) > 1:
        del lines[at]
    elif change == 2:
        other = dice.randrange(len(lines))
        lines[at], lines[other] = lines[other], lines[at]
    elif change == 3 and others:
        lines[at] = dice.choice(dice.choice(others).split("\n"))
    elif change == 4:
        where = dice.randrange(len(lines[at]) + 1)
        lines[at] = lines[at][:where] + dice.choice(ODD_TEXTS) + lines[at][where:]
    else:
        lines[at] = _change_token(lines[at], dice)


def _change_token(line: str, dice: random.Random) -> str:
    """Replace one token of a line, whichever of blank, tab, comma, colon or equals sign parts its tokens."""
    mark = dice.choice((" ", "\t", ",", ":", "=", "_", ", "))
    tokens = line.split(mark)
    at = dice.randrange(len(tokens))
    odd = dice.choice(NUMBERS).decode("latin-1") if dice.random() < 0.6 else dice.choice(ODD_TEXTS)
    tokens[at] = dice.choice((odd, odd, odd, "", tokens[at] * 2, dice.choice(tokens)))
    if dice.random() < 0.1:
        del tokens[at]
    return mark.join(tokens)


def mutate_mapping(values: Any, dice: random.Random) -> Any:
    """One to three changes somewhere in nested mappings and lists, which are changed in place."""
    for _ in range(dice.choice((1, 1, 1, 2, 3))):
        _change_inside(values, dice)
    return values


def _change_inside(node: Any, dice: random.Random) -> None:
    while True:
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        if not keys:
            return
        key = dice.choice(keys)
        inner = node[key]
        if not (isinstance(inner, dict | list) and inner) or dice.random() < 0.12:
            break
        node = inner
    change = dice.randrange(8)
    if change == 0:
        del node[key]
    elif change == 1 and isinstance(node, dict):
        node[dice.choice(("", "x", f"{key}s", None, 3, -1, True, "\0"))] = copy.deepcopy(dice.choice(ODD_VALUES))
    elif change == 2:
        other = dice.choice(keys)
        node[key], node[other] = node[other], node[key]
    elif change == 3 and isinstance(inner, int | float) and not isinstance(inner, bool):
        node[key] = dice.choice((-inner, inner * 1000, str(inner)[:200], [inner], 0.25))
    else:
        node[key] = copy.deepcopy(dice.choice(ODD_VALUES))
