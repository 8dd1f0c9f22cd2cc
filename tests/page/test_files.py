"""The page's files over HTTP: what a browser is told to do with them."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest

from service.keyring import OPEN
from service.page.files import ADDRESSES, FOLDER, SETTINGS
from tests.service.client import Client
from tests.service.fakes import FakeEngine
from tests.service.local_service import LocalService

FILES = sorted(ADDRESSES)


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    service = LocalService(FakeEngine(), body_bytes=12345)
    yield service.client
    service.stop()


@pytest.mark.parametrize("address", FILES)
def test_file_is_kept_and_asked_about_again(client: Client, address: str) -> None:
    first = client.get(address)
    assert first.status == 200
    assert first.headers["Cache-Control"] == "no-cache"
    assert first.headers["X-Content-Type-Options"] == "nosniff"
    for known in (first.headers["ETag"], f'"other", W/{first.headers["ETag"]}', "*"):
        again = client.get(address, If_None_Match=known)
        assert (again.status, again.data) == (304, b"")
        assert again.headers["ETag"] == first.headers["ETag"]
    assert client.get(address, If_None_Match='"other"').data == first.data
    head = client.request("HEAD", address, None, {})
    assert (head.status, head.data) == (200, b"")
    assert head.headers["Content-Length"] == str(len(first.data))


@pytest.mark.parametrize("address", FILES)
def test_policy_lets_nothing_in_from_elsewhere(client: Client, address: str) -> None:
    policy = dict(
        part.strip().split(" ", 1)
        for part in client.get(address).headers["Content-Security-Policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["img-src"] == "'self' blob:"
    for closed in ("base-uri", "form-action", "frame-ancestors", "trusted-types"):
        assert policy[closed] == "'none'"
    assert policy["require-trusted-types-for"] == "'script'"


def test_every_file_is_open_and_all_else_is_not_there(client: Client) -> None:
    assert ADDRESSES <= OPEN
    for path in ("/page/", "/page/routes.py", "/page/../routes.py", "/page/index.html"):
        assert client.get(path).status == 404, path
    assert client.post("/", b"").status == 405


def test_settings_are_those_of_the_service(client: Client) -> None:
    settings = client.get(SETTINGS).json
    assert (settings["max_body_bytes"], settings["keys"]) == (12345, False)
    assert settings["max_pixels"] == 50_000_000


def test_metrics_can_be_asked_for_by_name(client: Client) -> None:
    """What the page asks for every two seconds: three series, not all of them."""
    asked = "name[]=stride_queue_depth&name[]=stride_requests_total"
    text = client.get(f"/metrics?{asked}").data.decode()
    told = re.findall(r"^# TYPE (\S+)", text, re.MULTILINE)  # in no order of theirs
    assert sorted(told) == ["stride_queue_depth", "stride_requests_total"]
    assert len(text) < len(client.get("/metrics").data) / 4
    assert client.get("/metrics?name[]=nothing").data == b""


class Loaded(HTMLParser):
    """What a document loads, and what it has inline."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.inline: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        self.inline += [name for name in told if name == "style" or name.startswith("on")]
        if tag == "style" or (tag == "script" and "src" not in told):
            self.inline.append(tag)
        kept = {"script": "src", "img": "src", "link": "href"}.get(tag)
        if kept and told.get(kept):
            self.addresses.append(str(told[kept]))


def test_page_loads_its_own_files_alone_and_has_nothing_inline() -> None:
    document = Loaded()
    document.feed((FOLDER / "index.html").read_text(encoding="utf-8"))
    assert document.inline == []
    assert {f"/{address}" for address in document.addresses} <= ADDRESSES
    assert len(document.addresses) >= 7


def test_no_script_parses_html_or_code() -> None:
    """A browser without trusted types would let it."""
    for path in FOLDER.glob("*.js"):
        text = path.read_text(encoding="utf-8")
        banned = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function"
        assert not re.search(banned, text), path
        imported = re.findall(r'from "\./(\w+\.js)"', text)
        assert all((FOLDER / name).exists() for name in imported), path
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text), path


def test_samples_are_small_photographs() -> None:
    samples = sorted((FOLDER / "samples").iterdir())
    assert len(samples) == 4
    notice = (FOLDER.parent.parent / "NOTICE").read_text(encoding="utf-8")
    for path in samples:
        assert path.stat().st_size < 40_000
        assert path.stem in notice
