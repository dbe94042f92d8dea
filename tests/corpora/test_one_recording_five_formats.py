"""The same recordings written as five corpora give equal clips, labels and signals, but for a list of losses.

The list is the table of docs/formats.md: each of its cells is measured here (issue 3, acceptance 3).
"""

import warnings
from collections.abc import Callable
from pathlib import Path

import mne_bids
import numpy as np
import pyedflib
import pytest
from epilepsy2bids.annotations import Annotations
from epilepsy2bids.load_annotations import chbmit as chbmit_outside
from epilepsy2bids.load_annotations import siena as siena_outside
from epilepsy2bids.load_annotations import tuh as tuh_outside
from simulated_corpus import REPOSITORY, Case, cases, simulation
from written_formats import LENGTH_S, SMALL, Key, ReadBack, ingested, read_back

from pipeline.corpora.scalp.annotations import whole_events
from pipeline.corpora.scalp.chbmit_files import SCALE as CHBMIT_SCALE
from pipeline.corpora.scalp.siena_files import SCALE as SIENA_SCALE
from pipeline.corpora.scalp.tusz_files import SCALE as TUSZ_SCALE
from pipeline.corpora.scalp.visibility import united
from pipeline.settings.simulation import READER_OF
from pipeline.signals.channels import electrode_of, reference_of

LAYOUTS = list(READER_OF)
TUSZ = ("tusz_v1", "tusz_v2")
SCALES = {"tusz_v1": TUSZ_SCALE, "tusz_v2": TUSZ_SCALE, "bids": TUSZ_SCALE, "chbmit": CHBMIT_SCALE,
          "siena": SIENA_SCALE}  # fmt: skip
TITLES = {"TUSZ v1.5.2": "tusz_v1", "TUSZ v2": "tusz_v2", "BIDS": "bids", "CHB-MIT": "chbmit", "Siena": "siena"}
KEPT, LOST = "kept", "lost"
RATE_HZ = {250, 256}


@pytest.fixture(scope="module")
def truth() -> dict[Key, Case]:
    """What was simulated, in memory."""
    settings = simulation(**SMALL, format="tusz_v2")
    made = list(cases(settings))
    sessions = settings.recordings_per_patient
    return {(case.who.number, place % sessions + 1): case for place, case in enumerate(made)}


@pytest.fixture(scope="module")
def formats(tmp_path_factory) -> dict[str, ReadBack]:
    """Each format written and read back; CHB-MIT has derivations alone, the EDFs of TUSZ v1 are those of v2."""
    montages = {"chbmit": ("bipolar",), "tusz_v1": ("referential",)}
    return {
        layout: read_back(tmp_path_factory.mktemp(layout), layout, montages.get(layout, ("referential", "bipolar")))
        for layout in LAYOUTS
    }


def test_the_corpus_holds_what_can_be_lost(truth):
    """References, ear-less montages, rates, recordings with and without seizures, several types: or losses hide."""
    made = [case.made for case in truth.values()]
    assert {one.reference for one in made} == {"REF", "LE"}
    assert {len(one.derivations) for one in made} == {20, 22}
    assert {one.channels[0].rate_hz for one in made} == RATE_HZ
    assert sum(not one.events for one in made) == 3
    assert {event.code for one in made for event in one.events} == {"cpsz", "absz", "gnsz"}
    assert len({case.who.split for case in truth.values()}) == 3


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_recording_is_used_and_nothing_is_said_without_reason(formats, truth, layout):
    read = formats[layout]
    assert set(read.found) == set(read.tables["recordings"]["key"]) == set(truth)
    assert all(set(signals) == set(truth) for signals in read.signals.values())
    said = {row.code for findings in read.findings.values() for row in findings}
    assert said <= {"chbmit": {"duplicate_label", "annotation_disagrees"}, "siena": {"annotation_missing"}}.get(
        layout, set()
    )


@pytest.mark.parametrize("layout", LAYOUTS)
def test_detection_clips_and_labels_are_equal(formats, truth, layout):
    """All clips, and all labels but of clips whose edge lies within the format's resolution of a seizure's edge."""
    read, base = formats[layout].tables["detection"], formats["tusz_v2"].tables["detection"]
    unlabelled = {key for key, case in truth.items() if layout == "siena" and not case.made.events}
    expected = base[~base["key"].isin(unlabelled)].set_index(["key", "start_s"])
    found = read.set_index(["key", "start_s"])
    assert set(found.index) == set(expected.index)
    differ = [place for place in expected.index if found["label"][place] != expected["label"][place]]
    assert all(near_an_edge(truth[key], start_s, RESOLUTION_S[layout]) for key, start_s in differ)
    assert len(differ) == 0 or layout == "siena"
    assert expected["label"].sum() > 10
    for column in ("codes", "focal") if layout in CARRIES_TYPES else ():
        assert (found[column] == expected[column].reindex(found.index)).all()


RESOLUTION_S = {"tusz_v1": 1e-4, "tusz_v2": 1e-4, "bids": 0.01, "chbmit": 1 / 250, "siena": 1.0}
CARRIES_TYPES = ("tusz_v1", "tusz_v2", "bids")


def near_an_edge(case: Case, start_s: float, resolution_s: float) -> bool:
    edges = [edge for event in case.made.events for edge in (event.onset_s, event.offset_s)]
    return any(abs(edge - end) <= resolution_s for edge in edges for end in (start_s, start_s + LENGTH_S))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_classification_clips_are_equal(formats, layout):
    """One clip a seizure, its start to the format's resolution, its type where the format has types."""
    read, base = formats[layout].tables["classification"], formats["tusz_v2"].tables["classification"]
    read, base = (table.sort_values(["key", "start_s"]).reset_index(drop=True) for table in (read, base))
    assert list(read["key"]) == list(base["key"])
    slack_s = RESOLUTION_S[layout] / 2 + 1 / 200  # a clip starts on a sample
    assert np.abs(read["start_s"] - base["start_s"]).max() <= slack_s
    assert list(read["code"]) == (list(base["code"]) if layout in CARRIES_TYPES else ["seiz"] * len(base))


@pytest.mark.parametrize("layout", ["tusz_v1", "bids", "siena"])
def test_electrodes_hold_equal_signals(formats, truth, layout):
    """To quantisation. BIDS asks for the average reference: what had another one is equal once both have it."""
    for key, expected in formats["tusz_v2"].signals["referential"].items():
        found = formats[layout].signals["referential"][key]
        if layout == "bids" and truth[key].made.reference == "LE":
            assert rms(found - expected) > 5.0  # µV: the reference is lost
            found, expected = found - found.mean(0), expected - expected.mean(0)
        assert_equal_to_quantisation(found, expected, [step_uv("tusz_v2"), step_uv(layout)])


@pytest.mark.parametrize("layout", ["bids", "siena", "chbmit"])
def test_derivations_hold_equal_signals_whatever_the_reference(formats, layout):
    for key, expected in formats["tusz_v2"].signals["bipolar"].items():
        own = [step_uv(layout)] * (1 if layout == "chbmit" else 2)
        found = formats[layout].signals["bipolar"][key]
        assert_equal_to_quantisation(found, expected, [step_uv("tusz_v2")] * 2 + own)


def test_T36_a_model_of_electrodes_refuses_chbmit_with_a_hint(formats):
    refused = ingested(formats["chbmit"], "referential")
    assert not refused.rows
    assert {(row.code, row.severity) for row in refused.findings} == {("bipolar_only", "error")}
    assert len(refused.findings) == len(formats["chbmit"].found)
    assert all("channels.montage: bipolar" in row.message for row in refused.findings)


def test_T46_one_recording_has_one_digest_under_both_of_its_names(formats):
    """Ids differ between the generations; the samples give it away."""
    digests = {name: formats[name].tables["segments"].set_index("key")["digest"].to_dict() for name in TUSZ}
    assert digests["tusz_v1"] == digests["tusz_v2"]
    assert len(set(digests["tusz_v1"].values())) == len(digests["tusz_v1"])


def assert_equal_to_quantisation(found: np.ndarray, expected: np.ndarray, steps_uv: list[float]) -> None:
    """Rounding errors of independent steps add up in power; no sample is further off than the sum of the steps."""
    assert found.shape == expected.shape
    assert expected.std() > 5.0
    assert rms(found - expected) <= np.sqrt(sum(step**2 / 12 for step in steps_uv)) * 1.05
    assert np.abs(found - expected).max() <= sum(steps_uv)


def rms(samples: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))


def step_uv(layout: str) -> float:
    scale = SCALES[layout]
    return (float(scale.physical[1]) - float(scale.physical[0])) / (scale.digital[1] - scale.digital[0])


def outside_intervals(layout: str, path: Path) -> list[tuple[float, float]]:
    """Seizures (begin, end) as epilepsy2bids reads them."""
    if layout == "siena":
        return siena_outside._loadSeizures(str(path))  # its public reader wants a clinical type beside them
    if layout == "bids":
        return Annotations.loadTsv(str(path).replace("_eeg.edf", "_events.tsv")).getEvents()
    loader = {"tusz_v2": tuh_outside, "chbmit": chbmit_outside}[layout]
    return loader.loadAnnotationsFromEdf(str(path)).getEvents()


@pytest.mark.parametrize("layout", ["tusz_v2", "bids", "chbmit", "siena"])
def test_an_outside_reader_finds_the_same_seizures(formats, truth, layout):
    """epilepsy2bids, from the EDF's name alone; rows that overlap are one seizure. CHB-MIT's summary has seconds."""
    slack_s = {"chbmit": 0.5}.get(layout, RESOLUTION_S[layout] / 2) + 1e-4
    for key, files in formats[layout].found.items():
        found = united(outside_intervals(layout, formats[layout].root / "corpus" / files.edf))
        expected = whole_events(truth[key].made.events, binary=True)
        assert len(found) == len(expected)
        for (begin_s, end_s), event in zip(found, expected, strict=True):
            assert begin_s == pytest.approx(event.onset_s, abs=slack_s)
            assert end_s == pytest.approx(event.offset_s, abs=slack_s)


def test_mne_bids_reads_the_bids_tree(formats):
    read = formats["bids"]
    path = mne_bids.get_bids_path_from_fname(read.root / "corpus" / next(iter(read.found.values())).edf)
    with warnings.catch_warnings(action="ignore"):  # no channels.tsv, no trial_type: both are optional
        raw = mne_bids.read_raw_bids(path, verbose="error")
        report = mne_bids.make_report(read.root / "corpus", verbose="error")
    assert raw.ch_names == next(iter(read.tables["recordings"]["labels"]))
    assert "4 participants" in report


# --- what is lost: every cell of the table in docs/formats.md ---------------------------------------------------------


def labels_of(read: ReadBack) -> dict[Key, list[str]]:
    table = read.tables["recordings"]
    return {key: list(labels) for key, labels in zip(table["key"], table["labels"], strict=True)}


def kept(condition: bool) -> str:
    return KEPT if condition else LOST


def electrodes(read: ReadBack, truth: dict[Key, Case]) -> str:
    wanted = {electrode_of(channel.label) for channel in next(iter(truth.values())).made.channels[:19]}
    return kept(all(wanted <= set(map(electrode_of, labels)) for labels in labels_of(read).values()))


def ears(read: ReadBack, truth: dict[Key, Case]) -> str:
    had = {key for key, case in truth.items() if len(case.made.derivations) == 22}
    return kept({key for key, labels in labels_of(read).items() if "A1" in map(electrode_of, labels)} == had)


def reference(read: ReadBack, truth: dict[Key, Case]) -> str:
    named = {key: {reference_of(label) for label in labels} - {""} for key, labels in labels_of(read).items()}
    return kept(named == {key: {case.made.reference} for key, case in truth.items()})


def heart(read: ReadBack, truth: dict[Key, Case]) -> str:
    return kept(all(any("EKG" in label for label in labels) for labels in labels_of(read).values()))


def slow_channels(read: ReadBack, truth: dict[Key, Case]) -> str:
    return kept(all("IBI" in labels for labels in labels_of(read).values()))


def rate(read: ReadBack, truth: dict[Key, Case]) -> str:
    table = read.tables["recordings"]
    return kept(
        all(truth[key].made.channels[0].rate_hz == hz for key, hz in zip(table["key"], table["rate_hz"], strict=True))
    )


def step(read: ReadBack, truth: dict[Key, Case]) -> str:
    with pyedflib.EdfReader(str(read.root / "corpus" / next(iter(read.found.values())).edf)) as reader:
        size = (reader.getPhysicalMaximum(0) - reader.getPhysicalMinimum(0)) / (
            reader.getDigitalMaximum(0) - reader.getDigitalMinimum(0)
        )
    assert size == pytest.approx(step_uv(read.layout))
    return f"{size:.3g} µV"


def range_of_amplitudes(read: ReadBack, truth: dict[Key, Case]) -> str:
    with pyedflib.EdfReader(str(read.root / "corpus" / next(iter(read.found.values())).edf)) as reader:
        return f"±{reader.getPhysicalMaximum(0):.0f} µV"


def grain(pairs: list[tuple[float, float, int]]) -> str:
    """The coarsest grid that all times lie on; `pairs`: time read, time simulated, rate. None is off by over half."""
    for name, size in (("1 s", 1.0), ("0.01 s", 0.01), ("one sample", None), ("0.0001 s", 1e-4)):
        steps = [(time, true, size or 1 / hz) for time, true, hz in pairs]
        if all(abs(time / own - round(time / own)) < 1e-3 for time, _, own in steps):
            assert all(abs(time - true) <= own / 2 + 1e-4 for time, true, own in steps)
            return name
    return "none"


def times(read: ReadBack, truth: dict[Key, Case]) -> str:
    pairs: list[tuple[float, float, int]] = []
    for key, case in truth.items():
        expected = whole_events(case.made.events, binary=True)
        found = read.events(key, whole=True)
        assert len(found) == len(expected)
        for event, (onset_s, offset_s, *_) in zip(expected, found, strict=True):
            hz = case.made.channels[0].rate_hz
            pairs += [(onset_s, event.onset_s, hz), (offset_s, event.offset_s, hz)]
    return grain(pairs)


def derivation_times(read: ReadBack, truth: dict[Key, Case]) -> str:
    pairs: list[tuple[float, float, int]] = []
    for key, case in truth.items():
        found = sorted(read.events(key, whole=False), key=lambda row: (row[3], row[0]))
        expected = sorted(case.made.events, key=lambda event: (event.channel, event.onset_s))
        if [row[3] for row in found] != [event.channel for event in expected]:
            return LOST
        for event, (onset_s, offset_s, *_) in zip(expected, found, strict=True):
            hz = case.made.channels[0].rate_hz
            pairs += [(onset_s, event.onset_s, hz), (offset_s, event.offset_s, hz)]
    return grain(pairs)


def types(read: ReadBack, truth: dict[Key, Case]) -> str:
    same = all(
        [row[2] for row in read.events(key, whole=True)]
        == [event.code for event in whole_events(case.made.events, binary=False)]
        for key, case in truth.items()
    )
    assert same or set(read.tables["seizures"]["code"]) == {"seiz"}
    return kept(same)


def freedom_from_seizures(read: ReadBack, truth: dict[Key, Case]) -> str:
    table = read.tables["recordings"]
    said = set(table["key"][table["labelled"]])
    assert {key for key, case in truth.items() if case.made.events} <= said
    return kept(said == set(truth))


def split(read: ReadBack, truth: dict[Key, Case]) -> str:
    """What the folders tell; `splits.tsv`, which is ours, has it for every format."""
    folders = {"train": "train", "dev": "validation", "eval": "test"}
    if read.layout == "tusz_v1":
        folders = {"train": "train", "dev": "test"}
    told = {key: folders.get(files.official, "") for key, files in read.found.items()}
    if not any(told.values()):
        return LOST
    wrong = {truth[key].who.split for key, name in told.items() if name != truth[key].who.split}
    return KEPT if not wrong else f"without {', '.join(sorted(wrong))}"


def session(read: ReadBack, truth: dict[Key, Case]) -> str:
    return kept(all(files.session.lstrip("s0") == str(key[1]) for key, files in read.found.items()))


def montage_folder(read: ReadBack, truth: dict[Key, Case]) -> str:
    return kept(all(files.montage.endswith("_a") == (len(truth[key].made.derivations) == 20) and files.montage
                    for key, files in read.found.items()))  # fmt: skip


MEASURES: dict[str, Callable[[ReadBack, dict[Key, Case]], str]] = {
    "electrodes, one signal each": electrodes,
    "ear electrodes": ears,
    "reference, by name": reference,
    "electrocardiogram": heart,
    "a channel at 1 Hz": slow_channels,
    "sampling rate": rate,
    "step of a sample": step,
    "range of amplitudes": range_of_amplitudes,
    "begin and end of a seizure": times,
    "begin and end on each derivation": derivation_times,
    "type of a seizure": types,
    "that there was no seizure": freedom_from_seizures,
    "split": split,
    "session": session,
    "montage": montage_folder,
}


def documented() -> dict[str, dict[str, str]]:
    """The table of docs/formats.md: what -> format -> cell."""
    lines = [line for line in (REPOSITORY / "docs" / "formats.md").read_text().splitlines() if line.startswith("|")]
    head, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    return {row[0]: {TITLES[title]: cell for title, cell in zip(head[1:], row[1:], strict=True)} for row in rows}


def test_the_list_of_losses_is_whole():
    assert list(documented()) == list(MEASURES)


@pytest.mark.parametrize("what", MEASURES)
def test_what_is_kept_and_lost_is_what_the_list_says(formats, truth, what):
    assert {layout: MEASURES[what](formats[layout], truth) for layout in LAYOUTS} == documented()[what]
