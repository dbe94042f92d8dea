"""The corpora that can be fetched, where each lies, and its terms; TUSZ, which has to be asked for.

Sizes and counts are what others published or measured (docs/data.md says who); the server's own listing decides.
"""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["physionet", "s3"]


@dataclass(frozen=True, kw_only=True)
class Source:
    """One open corpus. `base` is the folder of SHA256SUMS.txt (physionet) or the bucket (s3, with `prefix`)."""

    name: str
    title: str
    kind: Kind
    base: str
    prefix: str = ""
    patients: int
    edfs: int
    gigabytes: float
    licence: str
    cite: str
    page: str
    preset: str


SOURCES = {
    source.name: source
    for source in (
        Source(
            name="chbmit",
            title="CHB-MIT Scalp EEG Database 1.0.0",
            kind="physionet",
            base="https://physionet.org/files/chbmit/1.0.0/",
            patients=23,
            edfs=686,
            gigabytes=45.8,
            licence="Open Data Commons Attribution 1.0",
            cite="doi:10.13026/C2K01R",
            page="https://physionet.org/content/chbmit/1.0.0/",
            preset="chbmit",
        ),
        Source(
            name="siena",
            title="Siena Scalp EEG Database 1.0.0",
            kind="physionet",
            base="https://physionet.org/files/siena-scalp-eeg/1.0.0/",
            patients=14,
            edfs=41,
            gigabytes=20.3,
            licence="Creative Commons Attribution 4.0",
            cite="doi:10.13026/5d4a-j060",
            page="https://physionet.org/content/siena-scalp-eeg/1.0.0/",
            preset="siena",
        ),
        Source(
            name="ds004100",
            title="HUP iEEG Epilepsy Dataset (OpenNeuro ds004100)",
            kind="s3",
            base="https://s3.amazonaws.com/openneuro.org/",
            prefix="ds004100/",
            patients=58,
            edfs=319,
            gigabytes=14.2,
            licence="CC0",
            cite="doi:10.18112/openneuro.ds004100.v1.1.3",
            page="https://openneuro.org/datasets/ds004100",
            preset="",
        ),
    )
}

TUSZ = """\
The TUH EEG Seizure Corpus cannot be fetched by this command: it is given to people who signed an agreement.

1. Ask: fill in and sign the form on https://isip.piconepress.com/projects/nedc/html/tuh_eeg/ (Neural Engineering Data
   Consortium, Temple University) and mail it to help@nedcdata.org with "Download The TUH EEG Corpus" in the subject.
   The answer says how to register an ssh key; the data come by rsync.
2. Copy: follow that answer; keep rsync's -L, since the corpus is a tree of links.
3. Point the pipeline at the folder that holds edf/ (v1.5.2 and v2.0.x are read; never mix the two):
   snakemake --cores 8 --configfile workflow/presets/tusz-v2.yaml --config 'corpora={tusz: {root: FOLDER}}'
The agreement stays with you: no file, header or annotation of the corpus may go into a repository or a report that
others see. docs/data.md has the details."""
