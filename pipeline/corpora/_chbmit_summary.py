"""`chbNN-summary.txt` of CHB-MIT: what it says of each file, or why that cannot be read (formats.md, section 10).

`Channels changed:` and the times of day (hours of one digit, or over 23) are passed over (T32, T33); a time of day only
tells whether two parts of one name are of one file.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.corpora._tree import text_lines

_FILE = re.compile(r"File\s*Name\s*:\s*(\S+)", re.IGNORECASE)
_FILE_LIKE = re.compile(r"\.edf|^\W*f\w{0,5}\s?name", re.IGNORECASE)  # a name line that is misspelt
_NAMED = re.compile(r"[\w+-]{1,40}\.edf", re.IGNORECASE)
_START = re.compile(r"File\s*Start\s*Time\s*:(.*)", re.IGNORECASE)
_COUNT = re.compile(r"Number\s+of\s+Seizures\s+in\s+File\s*:\s*(\d{1,9})(?!\d)", re.IGNORECASE)
_EDGE = re.compile(  # both spellings (T33); to the end of the line: `00:10:05` is not 0 s
    r"Seizure\s?\d*\s?(Start|End)\s?Time\s?:\s?([0-9]{1,9}(?:\.[0-9]{1,9})?)\s?(?:(?:s|secs?|seconds?)\s?\.?)?\s?",
    re.IGNORECASE,
)
_SEIZURE = re.compile(r"seizure|\d\s?sec", re.IGNORECASE)  # a line that says when, however it is spelt
_KEY = re.compile(r"(chb)0*(\d+)([a-z]?)_0*(\d+)(\+?)")


@dataclass
class Block:
    """The lines of one file name: numbers of seizures, times (edge, seconds, line), and the first line not understood.

    `mixed`: whether further lines may be another file's, since a second number or start stands under the name.
    """

    counts: list[int] = field(default_factory=list)
    edges: list[tuple[str, float, int]] = field(default_factory=list)
    problem: str = ""
    mixed: bool = False
    start: list[str] = field(default_factory=list)  # numbers of the file's start time
    counted: bool = False  # since the name was last given

    @property
    def speaks(self) -> bool:
        """Whether anything is said of a seizure, readable or not."""
        return bool(any(self.counts) or self.edges or (self.problem and not self.mixed))

    def spans(self) -> list[tuple[float, float, int]]:
        """Start and end of each seizure, and the line of its start."""
        return [(start[1], end[1], start[2]) for start, end in zip(self.edges[::2], self.edges[1::2], strict=True)]

    def pairing_problem(self) -> str:
        """Why starts and ends are no seizures; the number of them must be the one that is stated."""
        n = len(self.edges) // 2
        if [edge[0] for edge in self.edges] != ["start", "end"] * n:
            return f"line {self.edges[-1][2]}: start and end times do not alternate"
        if sum(self.counts) != n or not self.counts:
            return f"says {sum(self.counts) if self.counts else 'no number of'} seizures and has the times of {n}"
        return ""

    def take(self, line: str, number: int) -> None:
        """One line under the name."""
        if match := _START.match(line):
            self._take_start(re.findall(r"\d{1,9}", match[1]), number)
        elif match := _COUNT.match(line):
            if self.counted:
                self._fail(f"line {number}: a second number of seizures for one file name", mixed=True)
            self.counts.append(int(match[1]))
            self.counted = True
        elif match := _EDGE.fullmatch(line):
            self.edges.append((match[1].lower(), float(match[2]), number))
        elif _SEIZURE.search(line):
            self._fail(f"line {number} gives no time in seconds")

    def _take_start(self, clock: list[str], number: int) -> None:
        """Two starts under one name: one of the parts is another file's, whose name is wrong."""
        clock = [part.lstrip("0") for part in clock]
        if self.start and clock and clock != self.start:
            self._fail(f"line {number}: another start time for the same file name", mixed=True)
        self.start = self.start or clock

    def _fail(self, problem: str, *, mixed: bool = False) -> None:
        self.problem, self.mixed = self.problem or problem, self.mixed or mixed


def read_summary(path: Path) -> dict[str, Block]:
    """The blocks by file name as written; "" for what stands under none, or under a misspelt line without one."""
    blocks: dict[str, Block] = {}
    current = blocks[""] = Block()
    for number, line in text_lines(path):
        if match := _FILE.match(line):
            current = blocks.setdefault(match[1], Block())
            current.counted = False
        elif _FILE_LIKE.search(line):
            current = blocks[""]
            for name in _NAMED.findall(line.lower()):
                current = blocks.setdefault(name, Block())
                current.problem = current.problem or f"line {number} names the file, and is no `File Name:`"
            current.counted = False
        else:
            current.take(line, number)
    return blocks


def file_key(name: str) -> tuple[str, ...] | str:
    """What two spellings of one file name share: `chb1_4`, `CHB01_04.edf`; the name itself where it is no file's."""
    text = name.lower().removesuffix(".edf")
    match = _KEY.fullmatch(text)
    return match.groups() if match else text


def shown_name(name: str) -> str:
    """A name for a message: as it stands where it is built like a file's."""
    if not name:
        return "no name"
    return repr(name) if _KEY.fullmatch(name.lower().removesuffix(".edf")) else f"a name of {len(name)} characters"
