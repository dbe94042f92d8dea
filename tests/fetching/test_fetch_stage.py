"""The stage fetch: what it lists, fetches, keeps, refuses and resumes."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections import Counter
from types import SimpleNamespace

import pytest

from pipeline.corpora import chbmit
from pipeline.fetching.client import STOPPED
from pipeline.fetching.manifest import FILE, LOCK, read_rows
from pipeline.stages import fetch
from tests.fetching.fetched_project import (
    HELD_S,
    RECORDINGS,
    REPOSITORY,
    SIZE,
    fetched,
    in_place,
    noise,
    stall_after,
    start_process,
    wait_for_part,
)
from tests.fetching.hostile_server import Site, add_bucket, corrupt, drop_after, say, serving, sha256


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


def test_a_dry_run_lists_sizes_checksums_and_space_and_fetches_nothing(site, target, command, monkeypatch) -> None:
    monkeypatch.setattr(fetch.shutil, "disk_usage", lambda path: SimpleNamespace(free=79_566_400_000))
    said = fetched(site, target, command, "--dry-run")
    assert said.status == 0
    for name, body in RECORDINGS.items():
        line = next(line for line in said.out.splitlines() if line.endswith(f" {name}"))
        assert str(len(body)) in line
        assert sha256(body) in line
        assert "missing" in line
    assert "7 files" in said.out
    assert f"; 79.566 GB free in {target.parent}" in said.out
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


def test_only_what_was_interrupted_is_to_be_run_again() -> None:
    gone, over = "https://x/y: 404 Not Found", "connection lost; gave up after 6 tries that brought nothing new"
    later = "https://x/y: 429; asks to come back in 90 s"
    assert fetch.not_in_place({"a": gone}) == "1 file is not in place; the same command again does not help: see why"
    assert fetch.not_in_place({"a": over}) == "1 file is not in place; run again to go on"
    assert fetch.not_in_place({"a": STOPPED, "b": later}) == "2 files are not in place; run again to go on"
    assert fetch.not_in_place({"a": gone, "b": over}).endswith("run again to go on with 1 of them")


def test_a_file_in_place_of_the_folder_is_told(site, target, command) -> None:
    target.write_bytes(b"mine")
    said = fetched(site, target, command)
    assert said.status == 1
    assert f"--to {target} is a file; name a folder" in said.log
    assert target.read_bytes() == b"mine"


def test_ctrl_c_leaves_parts_and_says_so(site, target, command) -> None:
    site.faults["/chb02/chb02_16+.edf"] = [stall_after(1 << 20)]
    process = start_process(site, target, stderr=subprocess.PIPE)
    part = wait_for_part(target / "chb02", 1 << 20)
    process.send_signal(signal.SIGINT)
    _, log = process.communicate(timeout=HELD_S / 2)  # the server holds the connection for longer
    assert process.returncode == 130
    assert "run again" in log
    assert "Traceback" not in log
    assert part.exists()
    assert fetched(site, target, command).status == 0
    in_place(target, RECORDINGS)


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
    together, at_once = threading.Event(), Counter()

    def hold(handler, path):
        """Until three are there; whoever counts itself out cannot have asked for another yet."""
        with site.lock:
            at_once["now"] += 1
            at_once["most"] = max(at_once["most"], at_once["now"])
            if at_once["now"] == 3:
                together.set()
        together.wait(60)
        with site.lock:
            at_once["now"] -= 1
        return False

    site.faults.update({f"/{name}": [hold] for name in many})
    assert fetched(site, target, command, "--jobs", 3).status == 0
    assert at_once["most"] == 3
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
    if (free := shutil.disk_usage(target.parent).free) < 1.5e9:
        pytest.skip(f"{free / 1e9:.1f} GB free in {target.parent}: 1.5 are needed")
    with serving(Site()) as site:
        site.add_project({"big.edf": 1 << 30})
        words = [sys.executable, "-c", MEASURED, "chbmit", "--to", str(target), "--mirror", site.url]
        done = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert (target / "big.edf").stat().st_size == 1 << 30
    (target / "big.edf").unlink()
    assert float(done.stdout.split()[-1]) < 120, "MiB at the peak"


MEASURED = """
from benchmarks.peak_memory import peak_mib
from pipeline.stages.fetch import main
main()
print(peak_mib())
"""


def test_readers_see_the_recordings_and_nothing_unfinished(site, target, command) -> None:
    """What lies about after a fetch that broke off (a part, the lock, the lists) is no recording."""
    site.add_project(RECORDINGS | {"RECORDS-WITH-SEIZURES": b"chb01/chb01_03.edf\n"})
    site.faults["/chb02/chb02_16+.edf"] = [drop_after(1 << 20), say(404)]
    assert fetched(site, target, command).status == 1
    assert list(target.rglob("*.part"))
    assert {one.edf for one in chbmit.find(target, "auto")} == {"chb01/chb01_01.edf", "chb01/chb01_03.edf"}
    assert fetched(site, target, command).status == 0
    assert {one.edf for one in chbmit.find(target, "auto")} == {name for name in RECORDINGS if name.endswith(".edf")}
