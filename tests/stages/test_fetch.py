"""The stage fetch against a server that drops, truncates, corrupts, delays and lies: a file is right or absent."""

import functools
import logging
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline.fetching.client import MOST_LOST, Manners
from pipeline.fetching.manifest import FILE, LOCK, read_rows
from pipeline.stages import fetch
from pipeline.stages.command import run
from tests.fetching.hostile_server import (
    Site,
    add_bucket,
    corrupt,
    drip,
    drop_after,
    say,
    serving,
    sha256,
    silence,
    truncate,
    unstated,
)  # fmt: skip

REPOSITORY = Path(__file__).resolve().parents[2]
SIZE = 3 << 20  # of the recordings of the tests: a few blocks, and more than one step of progress


def noise(seed: int, size: int = SIZE) -> bytes:
    return random.Random(seed).randbytes(size)


RECORDINGS = {
    "chb01/chb01_01.edf": noise(1),
    "chb01/chb01_03.edf": noise(2),
    "chb01/chb01_03.edf.seizures": noise(3, 52),
    "chb01/chb01-summary.txt": noise(4, 2000),
    "chb02/chb02_16+.edf": noise(5),
    "SUBJECT-INFO": b"Case\tGender\n",
}


@pytest.fixture
def site():
    with serving(Site()) as one:
        one.add_project(RECORDINGS)
        yield one


@pytest.fixture
def target(tmp_path):
    return tmp_path / "chbmit"


@pytest.fixture
def command(monkeypatch, capsys):
    """Run the stage in this process with short pauses; status and what it printed."""
    monkeypatch.setattr(fetch, "Manners", functools.partial(Manners, backoff_s=0.01))

    def call(*words: object) -> SimpleNamespace:
        monkeypatch.setattr(sys, "argv", ["fetch", *[str(word) for word in words]])
        status = 0
        try:
            run(fetch.main)
        except SystemExit as end:
            status = int(end.code or 0)
        finally:
            logging.getLogger("ictograph").handlers.clear()
        said = capsys.readouterr()
        return SimpleNamespace(status=status, out=said.out, log=said.err)

    return call


def in_place(root: Path, files: dict[str, bytes]) -> None:
    """Every file is there byte for byte, and nothing unfinished lies about."""
    for name, body in files.items():
        assert (root / name).read_bytes() == body, name
    assert not list(root.rglob("*.part"))


def fetched(site: Site, target: Path, command, *more: object) -> SimpleNamespace:
    return command("chbmit", "--to", target, "--mirror", site.url, *more)


def test_all_arrive_with_manifest_and_a_second_run_serves_nothing(site, target, command) -> None:
    first = fetched(site, target, command)
    assert first.status == 0, first.log
    in_place(target, RECORDINGS)
    rows = read_rows(target / FILE)
    assert set(rows) == {*RECORDINGS, "RECORDS"}
    for name, body in RECORDINGS.items():
        assert rows[name].sha256 == sha256(body)
        assert rows[name].verified == f"sha256:{sha256(body)}"
        assert rows[name].size == len(body)
    site.served.clear()
    site.requests.clear()
    assert fetched(site, target, command).status == 0
    assert site.total_served(".edf", ".seizures", "summary.txt") == 0
    assert not [path for method, path, _ in site.requests if method == "HEAD"], "sizes are known from the manifest"


def test_a_dry_run_lists_sizes_checksums_and_space_and_fetches_nothing(site, target, command) -> None:
    said = fetched(site, target, command, "--dry-run")
    assert said.status == 0
    for name, body in RECORDINGS.items():
        line = next(line for line in said.out.splitlines() if line.endswith(f" {name}"))
        assert str(len(body)) in line
        assert sha256(body) in line
        assert "missing" in line
    assert "7 files" in said.out
    assert f"{shutil.disk_usage(target.parent).free / 1e9:.0f}"[:1] in said.out.split("GB free")[0].split(";")[-1]
    assert site.total_served(".edf", ".seizures", "summary.txt", "SUBJECT-INFO") == 0
    assert not target.exists()


def test_only_takes_what_fits_and_the_lists_and_names_a_pattern_that_fits_nothing(site, target, command) -> None:
    assert fetched(site, target, command, "--only", "chb02/*").status == 0
    assert (target / "chb02/chb02_16+.edf").read_bytes() == RECORDINGS["chb02/chb02_16+.edf"]
    assert (target / "SUBJECT-INFO").exists()
    assert not (target / "chb01").exists()
    wrong = fetched(site, target, command, "--only", "chb2/*")
    assert wrong.status == 1
    assert "--only 'chb2/*'" in wrong.log
    assert "chb01/" in wrong.log


def test_a_disk_that_is_too_small_is_refused_before_a_byte_is_fetched(site, target, command, monkeypatch) -> None:
    monkeypatch.setattr(fetch.shutil, "disk_usage", lambda path: SimpleNamespace(free=SIZE + fetch.SPARE))
    said = fetched(site, target, command)
    assert said.status == 1
    assert "free" in said.log
    assert "--only" in said.log
    assert site.total_served(".edf") == 0


def test_connections_cut_at_a_byte_are_taken_up_there(site, target, command) -> None:
    name = "chb01/chb01_01.edf"
    site.faults[f"/{name}"] = [drop_after(1_200_000), drop_after(700_001), drop_after(1)]
    said = fetched(site, target, command, "--only", name)
    assert said.status == 0, said.log
    in_place(target, {name: RECORDINGS[name]})
    asked = [headers.get("Range") for headers in site.gets(f"/{name}")]
    assert asked[0] is None
    assert len(asked) == 4
    starts = [int(one.removeprefix("bytes=").removesuffix("-")) for one in asked[1:]]
    assert starts == sorted(starts)
    assert starts[0] > 500_000
    assert all(headers.get("If-Range") == '"v1"' for headers in site.gets(f"/{name}")[1:])


def test_a_server_that_ignores_ranges_still_gives_the_right_file(site, target, command) -> None:
    name = "chb01/chb01_01.edf"
    site.ranges = False
    site.faults[f"/{name}"] = [drop_after(1_000_000)]
    assert fetched(site, target, command, "--only", name).status == 0
    in_place(target, {name: RECORDINGS[name]})


def test_a_server_that_ignores_ranges_and_always_drops_is_given_up(site, target, command) -> None:
    name = "chb01/chb01_01.edf"

    def whole_then_cut(handler, path):
        del handler.headers["Range"]
        return drop_after(2_000_000)(handler, path)

    site.faults[f"/{name}"] = [whole_then_cut] * 50
    said = fetched(site, target, command, "--only", name, "--tries", 3)
    assert said.status == 1
    assert "nothing new" in said.log
    assert len(site.gets(f"/{name}")) <= 5


def test_a_flipped_bit_is_fetched_anew_and_twice_is_a_failure(site, target, command) -> None:
    once, twice = "chb01/chb01_01.edf", "chb01/chb01_03.edf"
    site.faults[f"/{once}"] = [corrupt]
    site.faults[f"/{twice}"] = [corrupt, corrupt]
    said = fetched(site, target, command)
    assert said.status == 1
    rest = {name: body for name, body in RECORDINGS.items() if name != twice}
    in_place(target, rest)
    assert not (target / twice).exists()
    assert f"published {sha256(RECORDINGS[twice])}" in said.log
    assert twice in said.log.splitlines()[-1]
    assert fetched(site, target, command).status == 0, "the next run, against an honest server, completes"
    in_place(target, RECORDINGS)


def test_half_a_file_sent_without_a_length_is_completed(site, target, command) -> None:
    name = "chb01/chb01_01.edf"
    site.faults[f"/{name}"] = [truncate]
    assert fetched(site, target, command, "--only", name).status == 0
    in_place(target, {name: RECORDINGS[name]})
    assert site.gets(f"/{name}")[1]["Range"] == f"bytes={SIZE // 2}-"


def test_a_reply_of_another_size_is_not_read(site, target, command) -> None:
    name = "chb01/chb01_01.edf"
    shorter = say(200, RECORDINGS[name][:-7])
    site.faults[f"/{name}"] = [shorter]
    assert fetched(site, target, command, "--only", name).status == 0
    in_place(target, {name: RECORDINGS[name]})
    (target / name).unlink()
    site.faults[f"/{name}"] = [shorter, shorter]
    said = fetched(site, target, command, "--only", name)
    assert said.status == 1
    assert f"would bring {SIZE - 7} bytes, not the {SIZE}" in said.log
    assert not list(target.rglob("*.part"))


def test_more_than_the_listing_gives_is_never_written(site, target, command) -> None:
    name = "chb01/chb01_01.edf"
    longer = unstated(RECORDINGS[name] + b"x" * 100_000)
    site.faults[f"/{name}"] = [longer, longer]
    said = fetched(site, target, command, "--only", name)
    assert said.status == 1
    assert f"more than the {SIZE} bytes" in said.log
    assert not (target / name).exists()
    assert all(part.stat().st_size <= SIZE for part in target.rglob("*.part"))


def test_a_server_that_knows_no_such_range_is_asked_for_the_whole(site, target, command) -> None:
    name = "chb01/chb01_01.edf"
    site.faults[f"/{name}"] = [drop_after(1_000_000), say(416)]
    assert fetched(site, target, command, "--only", name).status == 0
    in_place(target, {name: RECORDINGS[name]})
    assert "Range" not in site.gets(f"/{name}")[-1]


def test_a_file_that_appears_meanwhile_is_not_overwritten(site, target, command) -> None:
    name = "chb01/chb01_01.edf"

    def appear(handler, path):
        (target / name).write_bytes(b"mine")
        return False

    site.faults[f"/{name}"] = [appear]
    said = fetched(site, target, command, "--only", name)
    assert said.status == 1
    assert "meanwhile" in said.log
    assert (target / name).read_bytes() == b"mine"


def test_a_wrong_range_is_refused(site, target, command) -> None:
    name = "chb01/chb01_01.edf"
    lie = say(206, b"y" * 50, Content_Range=f"bytes 0-49/{SIZE}")
    site.faults[f"/{name}"] = [drop_after(1_000_000), lie, lie]
    said = fetched(site, target, command, "--only", name)
    assert said.status == 1
    assert "range 'bytes 0-49" in said.log


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_honoured(site, target, command, status) -> None:
    name = "chb01/chb01_01.edf"
    site.faults[f"/{name}"] = [say(status, Retry_After="1")]
    begun = time.monotonic()
    assert fetched(site, target, command, "--only", name).status == 0
    assert time.monotonic() - begun >= 1.0
    in_place(target, {name: RECORDINGS[name]})


def test_a_server_that_asks_to_come_back_tomorrow_is_left_alone(site, target, command) -> None:
    name = "chb01/chb01_01.edf"
    site.faults[f"/{name}"] = [say(429, Retry_After="86400")]
    said = fetched(site, target, command, "--only", name)
    assert said.status == 1
    assert "86400 s" in said.log
    assert len(site.gets(f"/{name}")) == 1


def test_tries_end(site, target, command) -> None:
    name = "chb01/chb01_01.edf"
    site.faults[f"/{name}"] = [say(500)] * 99
    said = fetched(site, target, command, "--only", name, "--tries", 4)
    assert said.status == 1
    assert len(site.gets(f"/{name}")) == 4
    assert "500" in said.log


def test_a_server_that_is_down_is_given_up_as_a_whole(site, target, command) -> None:
    many = {f"chb03/chb03_{number:03d}.edf": noise(number, 1000) for number in range(60)}
    site.add_project(many)
    for name in many:
        site.faults[f"/{name}"] = [say(500)] * 99
    said = fetched(site, target, command, "--tries", 2, "--only", "chb03/*")
    assert said.status == 1
    assert "gave up" in said.log.split("not in place")[1].splitlines()[1], "causes come first"
    assert "stopped" in said.log
    assert "and 20 more" in said.log
    assert sum(len(site.gets(f"/{name}")) for name in many) <= 2 * (MOST_LOST + 8)


def test_a_server_without_head_tells_the_size_with_the_first_byte(site, target, command) -> None:
    site.head_status = 405
    assert fetched(site, target, command).status == 0
    in_place(target, RECORDINGS)


def test_ctrl_c_leaves_parts_and_says_so(site, target, command) -> None:
    site.faults["/chb02/chb02_16+.edf"] = [stall_after(1 << 20)]
    process = start_process(site, target, stderr=subprocess.PIPE)
    part = wait_for_part(target / "chb02", 1 << 20)
    process.send_signal(signal.SIGINT)
    _, log = process.communicate(timeout=2)  # though the server holds the connection for longer
    assert process.returncode == 130
    assert "run again" in log
    assert "Traceback" not in log
    assert part.exists()
    assert fetched(site, target, command).status == 0
    in_place(target, RECORDINGS)


def start_process(site: Site, target: Path, *, stderr: int) -> subprocess.Popen:
    words = [sys.executable, "-m", "pipeline.stages.fetch", "chbmit", "--to", target, "--mirror", site.url]
    return subprocess.Popen(
        [*words, "--jobs", "1"], cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=stderr, text=True
    )  # fmt: skip


def test_a_file_that_is_gone_is_one_failure_and_the_others_arrive(site, target, command) -> None:
    name = "chb01/chb01_01.edf"
    site.faults[f"/{name}"] = [say(404)]
    said = fetched(site, target, command)
    assert said.status == 1
    assert "404" in said.log
    assert len(site.gets(f"/{name}")) == 1, "an answer, not a hiccup"
    in_place(target, {other: body for other, body in RECORDINGS.items() if other != name})


@pytest.mark.parametrize(
    "where", ["http://example.invalid/x.edf", "ftp://127.0.0.1/x.edf", "file:///etc/passwd", "http://127.0.0.1:9/x.edf"]
)
def test_redirects_elsewhere_are_refused(site, target, command, where) -> None:
    name = "chb01/chb01_01.edf"
    site.faults[f"/{name}"] = [say(302, Location=where)]
    said = fetched(site, target, command, "--only", name)
    assert said.status == 1
    assert not (target / name).exists()
    assert len(site.gets(f"/{name}")) == 1


def test_a_redirect_on_the_same_host_is_followed(site, target, command) -> None:
    name = "chb01/chb01_01.edf"
    site.content["/elsewhere.edf"] = RECORDINGS[name]
    site.faults[f"/{name}"] = [say(302, Location="/elsewhere.edf")]
    assert fetched(site, target, command, "--only", name).status == 0
    in_place(target, {name: RECORDINGS[name]})


@pytest.mark.parametrize("fault", [drip, silence], ids=["drip", "silence"])
def test_a_slow_or_silent_server_is_given_up_and_asked_again(site, target, command, fault) -> None:
    name = "chb01/chb01_01.edf"
    site.faults[f"/{name}"] = [fault]
    begun = time.monotonic()
    assert fetched(site, target, command, "--only", name, "--timeout", 0.4).status == 0
    assert time.monotonic() - begun < 10
    in_place(target, {name: RECORDINGS[name]})


def test_compressed_replies_are_refused(site, target, command) -> None:
    name = "chb01/chb01_01.edf"
    site.faults[f"/{name}"] = [say(200, b"\x1f\x8b", Content_Encoding="gzip")]
    said = fetched(site, target, command, "--only", name)
    assert said.status == 1
    assert "gzip" in said.log


def test_row25_names_from_a_server_stay_below_the_folder(site, target, command) -> None:
    hostile = [
        "../../x", "/etc/cron.d/x", "chb01/../../x", ".git/hooks/post-checkout", ".ssh/authorized_keys", "a\x00b",
        "a\x1b[2Jb", "-rf", "=cmd", "a b", "c:\\x", "x" * 300, "chb01/chb01_01.edf/x", "x.edf.part", "//x", "a//b",
        ".ictograph-fetch.tsv",
    ]  # fmt: skip
    site.content["/SHA256SUMS.txt"] += "".join(f"{'0' * 64} {name}\n" for name in hostile).encode()
    said = fetched(site, target, command)
    assert said.status == 1
    for name in hostile:
        assert f"{name!a}" in said.log, name
    assert "\x1b" not in said.log + said.out
    here = {str(path.relative_to(target.parent)) for path in target.parent.rglob("*") if path.is_file()}
    own = {f"chbmit/{name}" for name in ("RECORDS", "SHA256SUMS.txt", FILE, LOCK)}
    assert here == {f"chbmit/{name}" for name in RECORDINGS} | own
    asked = {path for _, path, _ in site.requests}
    assert not asked & {f"/{name}" for name in hostile}, "nobody is asked for them either"


def test_row25_a_link_that_leads_out_is_refused(site, target, command, tmp_path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    target.mkdir()
    (target / "chb01").symlink_to(outside)
    said = fetched(site, target, command)
    assert said.status == 1
    assert "symbolic link" in said.log
    assert not list(outside.iterdir())
    assert (target / "chb02/chb02_16+.edf").exists()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"not a checksum\n", "line 1"),
        (b"", "0 files"),
        (b"<html>sorry</html>\n" * 3, "line 1"),
        (b"\xff\xfe" * 10, "line 1"),
    ],
)
def test_a_list_of_checksums_that_is_none_is_a_typed_error(site, target, command, text, why) -> None:
    site.content["/SHA256SUMS.txt"] = text
    said = fetched(site, target, command)
    assert said.status == 1
    assert why in said.log


def test_a_listing_without_end_is_cut(site, target, command) -> None:
    site.content["/SHA256SUMS.txt"] = 1 << 28
    said = fetched(site, target, command)
    assert said.status == 1
    assert "longer than" in said.log
    assert site.served["/SHA256SUMS.txt"] < 1 << 26


def test_a_record_without_checksum_is_reported_not_fetched(site, target, command) -> None:
    site.content["/extra.edf"] = b"x"
    site.content["/SHA256SUMS.txt"] = b"".join(
        line + b"\n" for line in site.content["/SHA256SUMS.txt"].splitlines() if b"chb02_16" not in line
    )
    said = fetched(site, target, command)
    assert said.status == 1
    assert "RECORDS names it" in said.log
    assert not (target / "chb02").exists()


def test_good_files_are_adopted_and_others_never_overwritten_unless_told(site, target, command) -> None:
    good, other = "chb01/chb01_01.edf", "chb01/chb01_03.edf"
    (target / "chb01").mkdir(parents=True)
    (target / good).write_bytes(RECORDINGS[good])
    (target / other).write_bytes(b"mine")
    before = (target / good).stat()
    said = fetched(site, target, command)
    assert said.status == 1
    assert "--replace" in said.log
    assert (target / other).read_bytes() == b"mine"
    after = (target / good).stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert not site.gets(f"/{good}")
    assert fetched(site, target, command, "--replace").status == 0
    in_place(target, RECORDINGS)
    assert not site.gets(f"/{good}")


def test_verify_reads_everything_again(site, target, command) -> None:
    assert fetched(site, target, command).status == 0
    assert command("verify", target).status == 0
    path = target / "chb01/chb01_01.edf"
    body = bytearray(path.read_bytes())
    body[1000] ^= 4
    times = path.stat()
    path.write_bytes(body)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    (target / "chb01/chb01-summary.txt").unlink()
    said = command("verify", target)
    assert said.status == 1
    assert "chb01_01.edf" in said.log
    assert "missing" in said.log
    assert command("verify", target / "chb01").status == 1
    assert fetched(site, target, command, "--replace").status == 0
    assert command("verify", target).status == 0
    in_place(target, RECORDINGS)


def test_a_kill_in_the_middle_costs_only_what_was_on_the_way(site, target, command) -> None:
    site.faults["/chb02/chb02_16+.edf"] = [stall_after(1 << 20)]
    process = start_process(site, target, stderr=subprocess.DEVNULL)
    part = wait_for_part(target / "chb02", 1 << 20)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert (target / "chb01/chb01_03.edf").read_bytes() == RECORDINGS["chb01/chb01_03.edf"]
    assert not (target / "chb02/chb02_16+.edf").exists()
    have = part.stat().st_size
    site.served.clear()
    assert fetched(site, target, command).status == 0
    in_place(target, RECORDINGS)
    assert site.total_served(".edf") == SIZE - have
    assert set(read_rows(target / FILE)) == {*RECORDINGS, "RECORDS"}


def stall_after(n_bytes: int):
    """Send so many bytes, then nothing until the other side is gone."""

    def fault(handler, path):
        handler.send_response(200)
        handler.send_header("Content-Length", str(SIZE))
        handler.end_headers()
        handler.send(handler.server.site.content[path][:n_bytes], path)
        time.sleep(3)
        handler.cut()
        return True

    return fault


def wait_for_part(folder: Path, size: int) -> Path:
    for _ in range(600):
        parts = list(folder.glob("*.part")) if folder.exists() else []
        if parts and parts[0].stat().st_size >= size:
            return parts[0]
        time.sleep(0.02)
    raise AssertionError(f"no part of {size} bytes in {folder}")


def test_a_part_of_other_content_is_not_continued(site, target, command) -> None:
    name = "chb01/chb01_01.edf"
    site.faults[f"/{name}"] = [drop_after(1_000_000), say(404)]
    assert fetched(site, target, command, "--only", name).status == 1
    assert len(list(target.rglob("*.part"))) == 1
    changed = {**RECORDINGS, name: noise(77)}
    site.add_project(changed)
    assert fetched(site, target, command, "--only", name).status == 0
    in_place(target, {name: changed[name]})
    assert "Range" not in site.gets(f"/{name}")[-1]


def test_a_part_that_was_damaged_on_the_disk_is_found_out(site, target, command) -> None:
    name = "chb01/chb01_01.edf"
    site.faults[f"/{name}"] = [drop_after(1_000_000), say(404)]
    assert fetched(site, target, command, "--only", name).status == 1
    (part,) = target.rglob("*.part")
    body = bytearray(part.read_bytes())
    body[10] ^= 1
    part.write_bytes(body)
    assert fetched(site, target, command, "--only", name).status == 0
    in_place(target, {name: RECORDINGS[name]})


def test_never_more_connections_than_jobs(site, target, command) -> None:
    many = {f"chb03/chb03_{number:02d}.edf": noise(number, 200_000) for number in range(24)}
    site.add_project(many)
    assert fetched(site, target, command, "--jobs", 3).status == 0
    assert 2 <= site.busiest <= 3
    assert fetched(site, target, command, "--jobs", 9).status == 1
    assert all(headers["User-Agent"].startswith("ictograph-fetch/") for _, _, headers in site.requests)


def test_two_fetches_into_one_folder(site, target, command) -> None:
    with fetch.locked(target):
        said = fetched(site, target, command)
    assert said.status == 1
    assert "another fetch" in said.log


def test_addresses_that_are_not_https(target, command) -> None:
    for wrong in (
        "ftp://physionet.org/",
        "file:///etc/",
        "physionet.org",
        "https://user:word@physionet.org/",
        "http://[",
    ):
        said = command("chbmit", "--to", target, "--mirror", wrong)
        assert said.status == 1, wrong
        assert "https" in said.log or "IPv6" in said.log


def test_lists_and_tusz(command) -> None:
    said = command("list")
    assert said.status == 0
    assert all(name in said.out for name in ("chbmit", "siena", "ds004100", "tusz", "45.8 GB"))
    said = command("tusz")
    assert said.status == 2
    assert "help@nedcdata.org" in said.out
    assert "corpora={tusz: {root:" in said.out


BIDS = {
    "dataset_description.json": b"{}",
    "participants.tsv": b"participant_id\nsub-HUP060\n",
    ".bidsignore": b"x\n",
    "sub-HUP060/ses-presurgery/ieeg/sub-HUP060_ses-presurgery_task-ictal_acq-seeg_run-01_ieeg.edf": noise(9),
    "sub-HUP060/ses-presurgery/ieeg/sub-HUP060_ses-presurgery_task-ictal_acq-seeg_run-01_events.tsv": b"onset\n",
    "sub-HUP061/ses-presurgery/ieeg/sub-HUP061_ses-presurgery_task-ictal_acq-seeg_run-01_ieeg.edf": noise(10),
}


def test_a_bucket_page_by_page_with_md5(tmp_path, command) -> None:
    with serving(Site(page_keys=2)) as site:
        add_bucket(site, "ds004100/", BIDS)
        add_bucket(site, "ds004101/", {"no.edf": b"x"})
        multipart = "sub-HUP061/ses-presurgery/ieeg/sub-HUP061_ses-presurgery_task-ictal_acq-seeg_run-01_ieeg.edf"
        site.etags[f"/ds004100/{multipart}"] = '"0123456789abcdef0123456789abcdef-2"'
        said = command("ds004100", "--to", tmp_path / "hup", "--mirror", site.url)
        assert said.status == 0, said.log
        in_place(tmp_path / "hup", BIDS)
        assert len([path for _, path, _ in site.requests if path == "/"]) == 3
        rows = read_rows(tmp_path / "hup" / FILE)
        assert rows[multipart].verified == "size"
        assert rows["participants.tsv"].verified.startswith("md5:")
        said = command("ds004100", "--to", tmp_path / "one", "--mirror", site.url, "--only", "sub-HUP060/*")
        assert said.status == 0
        assert not (tmp_path / "one/sub-HUP061").exists()
        assert (tmp_path / "one/participants.tsv").exists()
        edf = next(name for name in BIDS if "HUP060" in name and name.endswith(".edf"))
        site.faults[f"/ds004100/{edf}"] = [corrupt, corrupt]
        said = command("ds004100", "--to", tmp_path / "bad", "--mirror", site.url, "--only", "sub-HUP060/*")
        assert said.status == 1
        assert "md5" in said.log


@pytest.mark.slow
def test_memory_stays_flat_for_a_gigabyte(target) -> None:
    with serving(Site()) as site:
        site.add_project({"big.edf": 1 << 30})
        words = [sys.executable, "-c", MEASURED, "chbmit", "--to", str(target), "--mirror", site.url]
        done = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert (target / "big.edf").stat().st_size == 1 << 30
    assert float(done.stdout.split()[-1]) < 120, "MiB at the peak"


MEASURED = """
import resource, sys
from pipeline.stages.fetch import main
main()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""
