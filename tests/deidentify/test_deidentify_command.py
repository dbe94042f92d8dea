"""The de-identify command: options, places, what it tells and what a failed run leaves (faults.md, row 28)."""

import csv

import numpy as np
import pytest

from pipeline.deidentify import edf
from pipeline.deidentify.words import listed_words, read_words
from pipeline.findings import CorpusError
from pipeline.stages import deidentify as command_line
from tests.deidentify.copies import WORDS, command, small_edf
from tests.faults.canaries import write_canary_corpus
from tests.signals.edf_builder import EdfFile, annotation_channel, scalp_channels


def marked_edf(path, text: str):
    """An EDF+ with one annotation."""
    channels = scalp_channels(np.random.default_rng(0), records=2, labels=["EEG C3-REF"])
    marks = annotation_channel([f"+0\x14\x14\0+0.5\x14{text}\x14\0", "+1\x14\x14\0"])
    return EdfFile([*channels, marks], reserved="EDF+C").write(path)


def table(path) -> list[dict[str, str]]:
    with open(path, newline="") as opened:
        return list(csv.DictReader(opened, delimiter="\t"))


def test_row28_bad_lists_of_words(tmp_path):
    for text in ("", "# nothing\n", "seizure 1951\n"):
        (tmp_path / "words.txt").write_text(text)
        with pytest.raises(CorpusError, match="is no word"):
            read_words(tmp_path / "words.txt")


def test_row28_the_command(tmp_path, monkeypatch, capsys):
    write_canary_corpus(tmp_path / "data")
    log = tmp_path / "canary-free.log"
    assert command(monkeypatch, str(tmp_path / "data"), str(tmp_path / "out"), "--log", str(log)) == 0
    told = capsys.readouterr().err.lower() + log.read_text().lower()
    assert "canary" not in told.replace("canary-free", "")
    private = tmp_path / "out-private"
    assert {path.name for path in private.iterdir()} == {"key", "names.tsv", "findings.tsv"}
    assert all(path.stat().st_mode & 0o077 == 0 for path in (private, *private.iterdir()))
    assert len((private / "names.tsv").read_text().splitlines()) == 1 + len(list((tmp_path / "out").rglob("*.edf")))
    again = [str(tmp_path / "data"), str(tmp_path / "again"), "--private", str(private)]
    assert command(monkeypatch, *again) == 0
    first, second = ({p.relative_to(top): p.read_bytes() for p in top.rglob("*") if p.is_file()}
                     for top in (tmp_path / "out", tmp_path / "again"))  # fmt: skip
    assert first == second


def test_row28_the_command_refuses_unsafe_places_and_keys(tmp_path, monkeypatch, capsys):
    EdfFile(scalp_channels(np.random.default_rng(0), records=2)).write(tmp_path / "a" / "x.edf")
    source, target = str(tmp_path / "a"), str(tmp_path / "out")
    assert command(monkeypatch, source, str(tmp_path / "a" / "out")) == 1
    assert command(monkeypatch, source, target, "--private", str(tmp_path / "out" / "private")) == 1
    assert command(monkeypatch, str(tmp_path / "b"), target) == 1
    monkeypatch.setenv("ICTOGRAPH_KEY", "short")
    assert command(monkeypatch, source, target) == 1
    assert "can be guessed" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    monkeypatch.setenv("ICTOGRAPH_KEY", "a key of more than sixteen characters")
    assert command(monkeypatch, source, target) == 0
    assert not (tmp_path / "out-private" / "key").exists()


def test_row28_words_of_a_file_are_added_to_the_built_in_ones(tmp_path, monkeypatch):
    (tmp_path / "words.txt").write_text("anfall\nlinks\n")
    assert listed_words(tmp_path / "words.txt") == WORDS | {"anfall", "links"}
    marked_edf(tmp_path / "in" / "x.edf", "Anfall links, eyes open")
    more = ["--words", str(tmp_path / "words.txt")]
    assert command(monkeypatch, str(tmp_path / "in"), str(tmp_path / "out"), *more) == 0
    (out,) = (tmp_path / "out").rglob("*.edf")
    assert b"Anfall links, eyes open" in out.read_bytes()


def test_row28_where_no_file_can_be_copied_the_findings_say_why(tmp_path, monkeypatch, capsys):
    small_edf(tmp_path / "in" / "x.edf", version="7")
    assert command(monkeypatch, str(tmp_path / "in"), str(tmp_path / "out")) == 1
    told, findings = capsys.readouterr().err, tmp_path / "out-private" / "findings.tsv"
    assert "none of 1 EDFs" in told
    assert str(findings) in told
    assert [(row["recording"], row["severity"]) for row in table(findings)] == [("x.edf", "error")]
    assert findings.stat().st_mode & 0o077 == 0
    assert not (tmp_path / "out").exists()


def test_row28_a_leak_leaves_findings_and_the_text_until_a_run_succeeds(tmp_path, monkeypatch, capsys):
    marked_edf(tmp_path / "in" / "x.edf", "Muster fell")
    (tmp_path / "in" / "Muster.docx").write_bytes(b"x")
    options, private = [str(tmp_path / "in"), str(tmp_path / "out")], tmp_path / "out-private"
    with monkeypatch.context() as broken:
        broken.setattr(edf, "is_allowed", lambda text, words: True)
        assert command(monkeypatch, *options) == 1
    told = capsys.readouterr().err
    assert "--words" in told
    assert "muster" not in told.lower()
    assert (private / "leak.txt").read_text() == "muster\n"
    assert (private / "leak.txt").stat().st_mode & 0o077 == 0
    assert [row["code"] for row in table(private / "findings.tsv")] == ["not_copied"]
    assert command(monkeypatch, *options) == 0
    assert not (private / "leak.txt").exists()


def test_row28_a_date_that_comes_out_is_not_said_to_be_a_word(tmp_path, monkeypatch, capsys):
    small_edf(tmp_path / "in" / "x.edf", date="14.05.12")
    monkeypatch.setattr(edf, "_shifted_day", lambda raw, shift_days: b"14.05.12")
    assert command(monkeypatch, str(tmp_path / "in"), str(tmp_path / "out")) == 1
    told = capsys.readouterr().err
    assert "fault of this program" in told
    assert "--words" not in told


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--reader", "nonesuch"], "--reader nonesuch"),
        (["--version", "nonesuch"], "--version nonesuch"),
        (["--reader", "tusz", "--version", "v9"], "--version v9"),
        (["--words", "nonesuch.txt"], "nonesuch.txt"),
        (["--key", "nonesuch.key"], "nonesuch.key"),
    ],
)
def test_row28_a_wrong_option_is_named_and_leaves_nothing(tmp_path, monkeypatch, capsys, options, says):
    small_edf(tmp_path / "in" / "x.edf")
    before = sorted(tmp_path.rglob("*"))
    assert command(monkeypatch, str(tmp_path / "in"), str(tmp_path / "out"), *options) == 1
    assert says in capsys.readouterr().err
    assert sorted(tmp_path.rglob("*")) == before


def test_row28_a_folder_in_use_or_without_edfs_leaves_nothing(tmp_path, monkeypatch, capsys):
    small_edf(tmp_path / "in" / "x.edf")
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "mine.txt").write_text("mine")
    (tmp_path / "empty").mkdir()
    before = sorted(tmp_path.rglob("*"))
    assert command(monkeypatch, str(tmp_path / "in"), str(tmp_path / "used")) == 1
    assert command(monkeypatch, str(tmp_path / "empty"), str(tmp_path / "out")) == 1
    told = capsys.readouterr().err
    assert "name a new folder" in told
    assert "no EDF" in told
    assert sorted(tmp_path.rglob("*")) == before


def test_row28_the_empty_folder_one_stands_in_can_be_the_target(tmp_path, monkeypatch):
    small_edf(tmp_path / "in" / "x.edf")
    (tmp_path / "out").mkdir()
    monkeypatch.chdir(tmp_path / "out")
    assert command(monkeypatch, "../in", ".") == 0
    assert len(list((tmp_path / "out").rglob("*.edf"))) == 1
    assert (tmp_path / "out-private" / "key").exists()


def test_row28_every_option_has_its_help(capsys):
    actions = command_line._parser()._actions
    assert all(action.help for action in actions)
    assert "A single EDF as SRC has other names" in command_line._parser().format_help()
