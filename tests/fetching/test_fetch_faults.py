"""The stage fetch against a server that drops, truncates, corrupts, delays and lies: a file is right or absent."""

import shutil
import ssl
import subprocess
import time

import pytest

from pipeline.fetching.client import MOST_LOST
from tests.fetching.fetched_project import RECORDINGS, SIZE, fetched, in_place, noise
from tests.fetching.hostile_server import (
    Site,
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
    assert ": 500" in said.log.replace(site.url, "")
    assert "1 file is not in place; run again to go on\n" in said.log


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


def test_a_file_that_is_gone_is_one_failure_and_the_others_arrive(site, target, command) -> None:
    name = "chb01/chb01_01.edf"
    site.faults[f"/{name}"] = [say(404)]
    said = fetched(site, target, command)
    assert said.status == 1
    assert ": 404" in said.log.replace(site.url, "")
    assert "1 file is not in place; the same command again does not help" in said.log
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


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl to make a certificate")
def test_a_certificate_that_nobody_vouches_for_is_refused_at_once(target, command, tmp_path) -> None:
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    subprocess.run([*made, "-keyout", tmp_path / "key", "-out", tmp_path / "cert"], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert", tmp_path / "key")
    with serving(Site(), tls=context) as one:
        one.add_project(RECORDINGS)
        said = fetched(one, target, command)
    assert said.status == 1
    assert "certificate is not trusted" in said.log
    assert not one.requests


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
    assert time.monotonic() - begun < 60  # as dripped, 40 h
    in_place(target, {name: RECORDINGS[name]})


def test_compressed_replies_are_refused(site, target, command) -> None:
    name = "chb01/chb01_01.edf"
    site.faults[f"/{name}"] = [say(200, b"\x1f\x8b", Content_Encoding="gzip")]
    said = fetched(site, target, command, "--only", name)
    assert said.status == 1
    assert "gzip" in said.log


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
