"""Listings, names, addresses, waiting times and manifests: what a server or a kill may have left in them."""

import random
import threading
import time
from email.utils import formatdate
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.fetching.client import Client, Interrupted, Manners, check_address, retry_after_s
from pipeline.fetching.listing import list_bucket, parse_page, parse_sums
from pipeline.fetching.manifest import FILE, Manifest, Row, read_rows, verify
from pipeline.fetching.names import FetchError, place, refusal, refused_names
from tests.fetching.hostile_server import Site, say, serving

SHA = "ab" * 32
BASE = "https://bucket.example/"


def page(rows: str, more: str = "false", token: str = "") -> bytes:
    head = '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><EncodingType>url</EncodingType>'
    return f"{head}<IsTruncated>{more}</IsTruncated>{token}{rows}</ListBucketResult>".encode()


def entry(key: str, size: object = 3, etag: str = "") -> str:
    return f"<Contents><Key>{key}</Key><Size>{size}</Size><ETag>{etag}</ETag></Contents>"


@pytest.mark.parametrize("line", [f"{SHA} a/b.edf", f"{SHA}  a/b.edf", f"{SHA} *a/b.edf", f"{SHA.upper()}\ta/b.edf\r"])
def test_sums_in_every_spelling(line) -> None:
    assert parse_sums(f"{line}\n\n", where="here") == [("a/b.edf", SHA)]


@pytest.mark.parametrize("text", [f"{SHA[1:]} a", SHA, f"{SHA} ", f"a {SHA}", "\x00" * 99, ""])
def test_sums_that_are_none(text) -> None:
    with pytest.raises(FetchError, match="here"):
        parse_sums(text + "\n", where="here")


def test_names_of_the_corpora_are_allowed() -> None:
    for name in (
        "chb02/chb02_16+.edf", "chb17/chb17a_03.edf", "3SUBJECTS", "RECORDS-WITH-SEIZURES", "PN11/PN11-.edf",
        ".bidsignore",
        "sub-HUP060/ses-presurgery/ieeg/sub-HUP060_ses-presurgery_task-ictal_acq-seeg_run-01_ieeg.edf",
    ):  # fmt: skip
        assert refusal(name) is None, name


@given(st.text(max_size=40) | st.text(alphabet="./\\ab\0\n", max_size=12))
@settings(max_examples=300, deadline=None)
def test_row25_an_allowed_name_stays_below_the_folder(name) -> None:
    root = Path("/tmp/no-such-folder/of-fetch")
    if refusal(name) is not None:
        with pytest.raises(FetchError):
            place(root, name)
        return
    assert place(root, name).is_relative_to(root)
    assert ".." not in place(root, name).parts
    assert name.isascii()
    assert name.isprintable()


def test_a_name_below_a_file_or_twice() -> None:
    assert set(refused_names(["a", "a/b", "c", "c", "d/e"])) == {"a/b", "c"}


def test_a_page_of_a_bucket() -> None:
    md5 = "0" * 32
    rows = entry("ds/a%2Bb.edf", 7, f"&quot;{md5}&quot;") + entry("ds/big.edf", 8, "&quot;" + md5 + "-2&quot;")
    files, token = parse_page(
        page(rows + entry("ds/folder/", 0), "true", "<NextContinuationToken>t=</NextContinuationToken>"),
        base=BASE,
        prefix="ds/",
    )
    assert token == "t="
    assert [(one.name, one.size, one.checksum) for one in files] == [("a+b.edf", 7, f"md5:{md5}"), ("big.edf", 8, "")]
    assert files[0].url == "https://bucket.example/ds/a%2Bb.edf"


ENTITIES = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
BOMB = ENTITIES + b"<ListBucketResult>&b;</ListBucketResult>"


@pytest.mark.parametrize(
    "content",
    [
        b"", b"<html>", b"<html></html>", b"\x00\x01", BOMB, BOMB.decode().encode("utf-16"),
        page(entry("other/a")), page(entry("ds/a", -1)), page(entry("ds/a", "9" * 30)), page(entry("ds/a", "1e3")),
        page("", "true"), page("")[:-5],
    ],
)  # fmt: skip
def test_a_page_that_is_none_is_a_typed_error(content) -> None:
    with pytest.raises(FetchError, match=r"bucket\.example"):
        parse_page(content, base=BASE, prefix="ds/")


def test_entities_are_refused_before_they_are_expanded() -> None:
    with pytest.raises(FetchError, match="document type"):
        parse_page(BOMB, base=BASE, prefix="ds/")


@given(st.binary(max_size=200), st.integers(0, 400))
@settings(max_examples=300, deadline=None)
def test_a_mutated_page_gives_a_typed_error_or_files_below_the_prefix(noise, at) -> None:
    good = page(entry("ds/a.edf", 7) + entry("ds/b.edf", 9))
    try:
        files, _ = parse_page(good[:at] + noise + good[at + len(noise) :], base=BASE, prefix="ds/")
    except FetchError:
        return
    assert all(one.size >= 0 and one.url.startswith(BASE + "ds/") for one in files)


def client(**manners: object) -> Client:
    return Client(manners=Manners(backoff_s=0.01, tries=3, **manners), generator=random.Random(0))


def test_a_listing_that_turns_in_a_circle_ends() -> None:
    again = page(entry("ds/a.edf"), "true", "<NextContinuationToken>same</NextContinuationToken>")
    with serving(Site()) as site:
        site.faults["/"] = [say(200, again)] * 9
        with pytest.raises(FetchError, match="twice"):
            list_bucket(client(), site.url, "ds/", [])
        assert len(site.requests) == 2


def test_an_empty_bucket_is_an_error() -> None:
    with serving(Site()) as site, pytest.raises(FetchError, match="empty"):
        list_bucket(client(), site.url, "ds/", [])


def test_retry_after_in_seconds_and_as_a_date() -> None:
    assert retry_after_s("7") == 7
    assert retry_after_s(None) is None
    assert retry_after_s("soon") is None
    assert 20 < retry_after_s(formatdate(time.time() + 30, usegmt=True)) <= 30
    assert retry_after_s("Wed, 21 Oct 2015 07:28:00 GMT") == 0


def test_pauses_double_are_jittered_and_bounded() -> None:
    waited: list[float] = []
    one = Client(manners=Manners(backoff_s=1, longest_s=10), generator=random.Random(1), stop=threading.Event())
    one.stop.wait = waited.append  # type: ignore[assignment, method-assign]
    for attempt in range(8):
        one.pause(attempt, Interrupted("x"))
    for attempt, wait_s in enumerate(waited):
        assert 0.5 * min(2**attempt, 10) <= wait_s <= 1.5 * min(2**attempt, 10)
    assert len({round(wait_s / min(2**n, 10), 6) for n, wait_s in enumerate(waited)}) == 8


def test_where_one_connection_is_told_to_wait_all_do() -> None:
    with serving(Site()) as site:
        site.content["/a"] = b"a"
        one = client()
        begun = time.monotonic()
        one.pause(0, Interrupted("429", wait_s=0.4))
        threads = [threading.Thread(target=one.small, args=(site.url + "a",), kwargs={"limit": 9}) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert time.monotonic() - begun >= 0.4
        assert len(site.requests) == 3


@pytest.mark.parametrize("url", ["http://physionet.org/", "https://", "https://a/?q=1", "https://me@a/", "//a", ""])
def test_addresses_that_are_refused(url) -> None:
    with pytest.raises(FetchError, match="https"):
        check_address(url)


def test_addresses_that_are_not() -> None:
    assert check_address("https://physionet.org/files/x") == "https://physionet.org/files/x/"
    assert check_address("http://127.0.0.1:80/") == "http://127.0.0.1:80/"
    assert check_address("http://mirror.example", allow_http=True) == "http://mirror.example/"


def row(name: str, **changes: object) -> Row:
    known = {"size": 1, "mtime_ns": 2, "sha256": SHA, "verified": f"sha256:{SHA}", "url": f"{BASE}{name}"}
    return Row(name=name, **{**known, **changes})


def test_a_manifest_that_a_kill_cut_is_read_up_to_there(tmp_path) -> None:
    manifest = Manifest(tmp_path)
    for name in ("b", "a", "b"):
        manifest.add(row(name, size=len(manifest.path.read_text()) if manifest.path.exists() else 0))
    whole = manifest.path.read_bytes()
    for cut in range(len(whole)):
        (tmp_path / FILE).write_bytes(whole[:cut])
        names = set(read_rows(tmp_path / FILE))
        assert names <= {"a", "b"}
        Manifest(tmp_path).add(row("c"))
        assert set(read_rows(tmp_path / FILE)) == names | {"c"}, "what comes next is not glued to the torn row"
    (tmp_path / FILE).write_bytes(whole)
    last = Manifest(tmp_path)
    assert last.rows["b"].size > 0
    last.tidy()
    assert [line.split("\t")[0] for line in manifest.path.read_text().splitlines()] == ["name", "a", "b"]
    assert read_rows(tmp_path / FILE) == last.rows


@pytest.mark.parametrize(
    "text", ["other\tcolumns\n", "{head}x\ty\n", "{head}../a\t1\t2\ts\tv\tu\n", "{head}a\t-1\t2\ts\tv\tu\n"]
)
def test_a_manifest_of_something_else_is_a_typed_error(tmp_path, text) -> None:
    (tmp_path / FILE).write_text(text.replace("{head}", "name\tsize\tmtime_ns\tsha256\tverified\turl\n"))
    with pytest.raises(FetchError, match="move"):
        read_rows(tmp_path / FILE)


def test_verify_without_a_manifest(tmp_path) -> None:
    with pytest.raises(FetchError, match="only what"):
        verify(tmp_path)
