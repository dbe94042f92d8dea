"""What was repaired, skipped or rejected, and why: one table for the whole project (spec faults.md, section 1).

Every input ends as used, used with findings, skipped or rejected; nothing is dropped silently.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pandas as pd

Severity = Literal["info", "warn", "error"]
Action = Literal["error", "repair", "skip", "note"]

CODES: dict[str, str] = {
    "header_invalid": "the EDF header cannot be trusted; the file is left out",
    "header_repaired": "a field of the EDF header was read leniently (decimal comma)",
    "truncated": "the header promises more data records than the file holds",
    "trailing_records": "the file holds more data than the header says",
    "nrec_unknown": "the header does not know its number of data records",
    "discontinuous": "the recording has gaps (EDF+D); it is cut into segments",
    "onset_missing": "record 0 of an EDF+ does not tell its onset, from which annotations count",
    "inverted_polarity": "a channel's physical range is inverted; the formula is applied as written",
    "scale_invalid": "a channel's physical or digital range is empty or not a number",
    "unit_unknown": "a channel's unit is neither V, mV, uV nor nV",
    "unit_converted": "a channel was converted to microvolts",
    "amplitude_implausible": "a channel's amplitude does not look like scalp EEG",
    "duplicate_label": "two channels bear one label",
    "missing_electrode": "an electrode of the 10-20 system is not in the file",
    "electrode_interpolated": "a missing electrode was interpolated from its neighbours",
    "bipolar_only": "the file holds derivations, not electrodes",
    "missing_derivation": "a derivation of the montage is neither recorded nor the difference of two channels",
    "derivation_reversed": "a derivation is recorded with the other polarity; its sign is turned",
    "mixed_montage": "some derivations are recorded as such, the others are differences of electrodes",
    "mixed_reference": "the electrodes of one file name several references",
    "mixed_rate": "the needed channels have different sampling rates; each is resampled by itself",
    "rate_implausible": "an electrode's sampling rate cannot be that of EEG; the channel counts as missing",
    "empty_channel": "an electrode's channel has no samples; it counts as missing",
    "bad_channel": "a channel is flat, saturated or not finite",
    "too_short": "the recording is shorter than one second",
    "fraction_cut": "the last fraction of a second was cut",
    "annotation_missing": "no annotation says whether there was a seizure; the recording has no labels",
    "annotation_invalid": "a row of an annotation file cannot be read",
    "annotation_repaired": "an annotation file was read leniently (a misspelt file name)",
    "annotation_clipped": "an event reaches outside the recording and was clipped",
    "annotation_outside": "an event lies outside the recording and was dropped",
    "annotation_overlap": "overlapping events on one channel were united",
    "annotation_disagrees": "two annotation files of one recording disagree",
    "duration_disagrees": "an annotation file and the EDF disagree on the duration by more than one second",
    "unknown_label": "an annotation bears a label that is not in the list",
    "seizure_implausible": "a seizure is longer than seizures are; its times cannot be right",
    "seizure_too_short": "a seizure shorter than one whole second gives no classification clip",
    "clip_in_other_split": "a clip is in another split than its patient (compat.mysz_split: published)",
    "class_excluded": "a seizure's type is not in the class scheme",
    "no_whole_clip": "a segment shorter than one clip gives none",
    "patient_unlisted": "a patient is not in the corpus's own list of patients",
    "split_missing": "a patient is not in the list of splits; left out",
    "patient_in_two_splits": "a patient is in two official splits; dropped from the test side",
    "duplicate_samples": "the same samples under two names within one split",
    "file_unreadable": "the file cannot be opened or read",
    "not_eeg": "the file holds no EEG channel",
    "fixture": "a header fixture whose samples are not EEG",
    "annotation_scrubbed": "texts of annotations that may name a person were removed (deidentify)",
    "not_read": "files of other EEG formats lie in the folder and are not read",
    "not_copied": "a file that is neither an EDF nor its table of events was left out (deidentify)",
    "label_run_disagreement": "recordings of one patient mark different contacts as SOZ; one set counts for all",
    "coord_units": "coordinates are not in the unit that their side file says",
    "coord_frame": "README and side file name different coordinate frames",
    "nonbrain_named": "a scalp or auxiliary channel is typed as intracranial; it is dropped by its name",
    "soz_bad": "contacts of the SOZ have the status bad",
    "xyz_missing": "good contacts have no coordinates",
    "text_format": "a side file was read leniently (byte order mark, line ends, blanks, quotes, number format)",
    "name_parse": "a contact's name was taken apart into shaft and number, or cannot be",
    "name_order": "the channels of the EDF and of its side file stand in another order, or are not the same",
    "subject_absent": "a listed participant has no recordings",
    "condition_missing": "a patient has no ictal or no interictal recording",
    "short_seizure": "a seizure is shorter than a clip",
    "low_rate": "the sampling rate is too low for the upper bands; they are masked",
    "annex_pointer": "the EDF is a pointer of git-annex, not the recording",
    "edf_header": "the EDF has duplicate labels, mixed rates, an empty range, a flat signal or labels not in UTF-8",
    "soz_unlabelled": "no contact of a patient is marked as SOZ; the patient is unlabelled, not all-negative",
    "side_file_missing": "a BIDS side file is not there, or lacks a column",
    "side_file_invalid": "a BIDS side file cannot be read",
    "seizure_not_cut": "no whole clip lies about the onset of a seizure",
    "pre_ictal_missing": "no whole clip free of seizures lies before an onset; the seizure has no baseline",
}

# What the owner of the data can do, for each code: shown on the QC page and in the error of `signals.strict`.
REMEDIES: dict[str, str] = {
    "header_invalid": "fetch or export the file anew; compare its size with the source",
    "header_repaired": "nothing to do; an export with decimal points has no such finding",
    "truncated": "fetch the file anew if the lost seconds matter; what is there is used",
    "trailing_records": "export the file anew if its header should count more; what is counted is used",
    "nrec_unknown": "let the recorder close the file, or export it anew; whole records are used",
    "discontinuous": "nothing to do: no clip crosses a gap",
    "onset_missing": "compare one known event with the signal; export the file anew if it is off",
    "inverted_polarity": "check one known event by eye; swap the physical limits if the trace is upside down",
    "scale_invalid": "export the file anew with the true physical and digital limits of that channel",
    "unit_unknown": "write V, mV, uV or nV into the header's unit field",
    "unit_converted": "nothing to do",
    "amplitude_implausible": "check unit and physical limits of the header against the amplifier",
    "duplicate_label": "rename one of the two; channels.duplicates: first takes the first",
    "missing_electrode": "channels.missing: interpolate fills up to channels.max_interpolated of them",
    "electrode_interpolated": "nothing to do; channels.missing: skip leaves such recordings out",
    "bipolar_only": "channels.montage: bipolar has derivations as nodes; electrodes do not follow from derivations",
    "missing_derivation": "look at the labels that the finding names; a derivation cannot be interpolated",
    "derivation_reversed": "nothing to do",
    "mixed_montage": "nothing to do",
    "mixed_reference": "re-reference before the export if the references really differ",
    "mixed_rate": "nothing to do",
    "rate_implausible": "check the header's record duration and samples a record (signals.quality.rate_low_hz)",
    "empty_channel": "channels.missing: interpolate fills it; else the recording is left out",
    "bad_channel": "channels.missing: interpolate fills it; else the recording is left out",
    "too_short": "nothing to do: less than a second gives no clip",
    "fraction_cut": "nothing to do",
    "annotation_missing": "fetch the annotation; till then without labels, or left out (action error or skip)",
    "annotation_invalid": "mend the row that is named; with severity error the recording is left out till then",
    "annotation_repaired": "correct the name in the annotation file",
    "annotation_clipped": "compare annotation and EDF: the part inside the recording is used",
    "annotation_outside": "see whether the annotation belongs to this EDF, and whether the EDF is complete",
    "annotation_overlap": "nothing to do; the union is used",
    "annotation_disagrees": "look at both files; a note says which counts, with severity error neither does",
    "duration_disagrees": "see whether the annotation belongs to this EDF; the EDF decides",
    "unknown_label": "correct the label, or leave it: only listed seizure types count",
    "seizure_implausible": "correct the time that is wrong (docs/corpora.md lists the known ones)",
    "seizure_too_short": "nothing to do; detection clips have it",
    "clip_in_other_split": "compat.mysz_split: patient leaves it where its patient is; nobody is then in two splits",
    "class_excluded": "nothing to do; another class scheme may have it",
    "no_whole_clip": "nothing to do; shorter clips may use it",
    "patient_unlisted": "see whether the folder belongs to this corpus; it is used all the same",
    "split_missing": "add the patient to the list of splits",
    "patient_in_two_splits": "nothing to do; a test patient must not be a training patient",
    "duplicate_samples": "delete the copy: it counts twice",
    "file_unreadable": "check that the file is there (a link may lead nowhere), the disk, and your rights",
    "not_eeg": "move the file away, or map its labels to electrode names",
    "annotation_scrubbed": "add words to the list (--words) if annotations that say nothing of a person went",
    "not_read": "unpack or convert them to EDF, or move them away",
    "not_copied": "nothing to do; reports are never copied",
    "fixture": "use the recording itself; signals.quality.white_noise: keep uses the file as it is",
    "label_run_disagreement": "correct the recordings that differ; the first ictal run counts",
    "coord_units": "correct iEEGCoordinateUnits in the coordsystem file",
    "coord_frame": "ask the owner which frame holds before comparing coordinates of several corpora",
    "nonbrain_named": "correct the type in channels.tsv",
    "soz_bad": "soz.reading.soz_bad: drop leaves all bad contacts out, keep uses all of them",
    "xyz_missing": "add them to electrodes.tsv; without, distances are unknown and the shaft is shown instead",
    "text_format": "nothing to do",
    "name_parse": "nothing to do where it is parsed; else the contact belongs to no shaft",
    "name_order": "nothing to do where reordered by name; else correct the names that differ, never the order",
    "subject_absent": "fetch the folder, or leave it",
    "condition_missing": "nothing to do; the patient is judged by the other condition",
    "short_seizure": "nothing to do; its clip holds postictal seconds, too",
    "low_rate": "nothing to do",
    "annex_pointer": "fetch the recording: datalad get, or git annex get",
    "edf_header": "export the file anew if channels are lost by it",
    "soz_unlabelled": "choose the adapter that knows the corpus's tokens; such a patient trains nothing",
    "side_file_missing": "fetch or write the side file that is named",
    "side_file_invalid": "mend the line that is named",
    "seizure_not_cut": "nothing to do, or shorter clips (soz.clips.length_s)",
    "pre_ictal_missing": "nothing to do: its ictal clips are used without the ratio to a baseline",
}

# Rejected rather than skipped (faults.md, section 2, `E`): the file can be read, but numbers from it would be wrong.
CONTRADICTIONS = frozenset(["annotation_outside", "bipolar_only", "duplicate_label", "unit_unknown"])


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One row of the findings table. `value` and `expected` are text; `seconds_affected` is 0 where it has no sense."""

    code: str
    severity: Severity
    action: Action
    message: str
    corpus: str = ""
    recording: str = ""
    channel: str = ""
    value: str = ""
    expected: str = ""
    seconds_affected: float = 0.0

    def __post_init__(self) -> None:
        if self.code not in CODES:
            raise ValueError(f"finding code {self.code!r} is not in pipeline/findings.py")


class Rejected(Exception):
    """A recording that cannot be used; carries the finding that says why."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.message)
        action: Action = "error" if finding.code in CONTRADICTIONS else finding.action
        self.finding = replace(finding, action=action)


class StrictError(Exception):
    """`signals.strict` met a recording that needed a repair or cannot be used; names it, the code and the remedy."""


class CorpusError(ValueError):
    """A corpus tree or list of splits that cannot be used; the message names the path and the remedy."""


class Findings:
    """Collects the findings of one stage; `for_recording` fixes corpus and recording for a stretch of code."""

    def __init__(self, *, corpus: str = "", recording: str = "", into: list[Finding] | None = None) -> None:
        self._rows: list[Finding] = [] if into is None else into
        self._corpus, self._recording = corpus, recording

    def for_recording(self, recording: str) -> "Findings":
        """A view that writes into the same list under this recording's name."""
        return Findings(corpus=self._corpus, recording=recording, into=self._rows)

    def add(
        self,
        code: str,
        message: str,
        *,
        severity: Severity = "warn",
        action: Action = "repair",
        channel: str = "",
        value: object = "",
        expected: object = "",
        seconds_affected: float = 0.0,
    ) -> Finding:
        """Record one finding and return it."""
        row = Finding(
            code=code,
            severity=severity,
            action=action,
            message=message,
            corpus=self._corpus,
            recording=self._recording,
            channel=channel,
            value=str(value),
            expected=str(expected),
            seconds_affected=float(seconds_affected),
        )
        self._rows.append(row)
        return row

    def extend(self, rows: "Findings | list[Finding]") -> None:
        """Take over findings made elsewhere, filling in corpus and recording where they are empty."""
        for row in rows:
            filled = {"corpus": row.corpus or self._corpus, "recording": row.recording or self._recording}
            self._rows.append(Finding(**{**asdict(row), **filled}))

    def __iter__(self) -> Iterator[Finding]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def to_frame(self) -> "pd.DataFrame":
        """The findings as a table with one column a field, in the order of `Finding`'s table (see `COLUMNS`)."""
        import pandas as pd

        return pd.DataFrame(self.to_rows(), columns=COLUMNS).astype(COLUMN_TYPES)

    def to_rows(self) -> list[dict[str, Any]]:
        """The findings as mappings, for `pipeline.store.write_rows`."""
        return [
            {name: _printable(cell) if isinstance(cell, str) else cell for name, cell in asdict(row).items()}
            for row in self._rows
        ]


def _printable(text: str) -> str:
    """`text` with bytes of file names that are no UTF-8 written as `\\xNN`: no table holds them otherwise."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def refuse_first(findings: Findings) -> None:
    """`signals.strict`: raise StrictError for the first finding that is a repair, a skip or a rejection.

    Notes stay notes: they say something about a file that was used exactly as it is.
    """
    for row in findings:
        if row.action != "note":
            remedy = REMEDIES.get(row.code, "see docs/corpora.md")
            raise StrictError(
                f"signals.strict: {row.recording or row.value}: {row.code}: {row.message}. Remedy: {remedy}"
            )


COLUMNS = [
    "corpus", "recording", "channel", "code", "severity", "action", "value", "expected", "seconds_affected", "message",
]  # fmt: skip
COLUMN_TYPES = {name: "float64" if name == "seconds_affected" else "string" for name in COLUMNS}
assert set(COLUMNS) == {field.name for field in fields(Finding)}
