"""The page in a real browser, on a real service of three models."""

import re
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from inference.manifest import read_manifest, write_manifest
from service.page.files import FOLDER
from tests.page.browsing import (
    DESK,
    PHONE,
    broken_rules,
    look_again,
    sending,
    summary,
    take_sample,
    visit,
)
from tests.service.client import png, png_header
from tests.service.process import ServiceProcess
from tests.service.test_watch import wait_for
from tests.tiny import write_tiny

TRAINED, RANDOM, HOSTILE = "trained-onnx-fp32", "random-onnx-fp32", "hostile-onnx-fp32"
HTML = '<img src=x onerror="document.title=1">' + "x" * 60
LIMIT = 200_000
TRANSFER = """([bytes, way]) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([new Uint8Array(bytes)], "mine.png", {type: "image/png"}));
    document.getElementById("drop").dispatchEvent(way === "dropped"
        ? new DragEvent("drop", {dataTransfer: transfer, bubbles: true})
        : new ClipboardEvent("paste", {clipboardData: transfer, bubbles: true}));
}"""


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("artifacts")


@pytest.fixture(scope="module")
def service(repository: Path) -> Iterator[ServiceProcess]:
    write_tiny(repository, "trained", trained=True)
    write_tiny(repository, "random", seed=1)
    hostile = write_tiny(repository, "hostile", trained=True)
    manifest = read_manifest(hostile)
    labels = tuple(f"{HTML}{index}" for index in range(len(manifest.labels)))
    write_manifest(hostile, replace(manifest, labels=labels))
    models = [f"{name}:instances=1,threads=1,max_batch=1" for name in (TRAINED, RANDOM, HOSTILE)]
    service = ServiceProcess(
        repository, "--drain-delay", "0", "--max-body-bytes", str(LIMIT),
        *[word for model in models for word in ("--model", model)],
    ).wait_until_ready()  # fmt: skip
    yield service
    assert service.stop() == 0, service.text


@pytest.fixture(scope="module")
def page(browser: Browser, service: ServiceProcess) -> Iterator[Page]:
    """One visit for all that need no fresh one; it may have been shown photos before."""
    with visit(browser, service.url, refusals=True) as page:
        expect(page.locator("#state")).to_have_text("3 models ready")
        yield page


def card(page: Page, model: str) -> Locator:
    return page.locator("#cards > li").filter(has=page.get_by_role("heading", name=model))


def told(card: Locator) -> list[tuple[str, str]]:
    """Label and probability of each line."""
    labels = card.locator(".label").all_text_contents()
    return list(zip(labels, card.locator(".probability").all_text_contents(), strict=True))


def answer(service: ServiceProcess, model: str, data: bytes) -> list[tuple[str, str]]:
    """The same from /v1/classify."""
    predictions = service.client.post(f"/v1/classify?model={model}", data).json["predictions"]
    return [
        (each["label"], f"{each['probability']:.1%}".replace("%", " %")) for each in predictions
    ]


def picture(name: str, data: bytes) -> Any:
    return {"name": name, "mimeType": "image/png", "buffer": data}


def test_sample_shows_each_models_answer_and_time(page: Page, service: ServiceProcess) -> None:
    cat = (FOLDER / "samples" / "cat.jpg").read_bytes()
    take_sample(page)
    for model in (TRAINED, RANDOM, HOSTILE):
        assert told(card(page, model)) == answer(service, model, cat)
    rows = page.locator("#waterfall li")
    expect(rows).to_have_count(3)
    stages = str(rows.first.get_by_role("img").get_attribute("aria-label"))
    parts = [float(number) for number in re.findall(r"([\d.]+) ms", stages)]
    assert re.findall(r"[a-z]+(?= [\d.]+ ms)", stages) == [
        "receive", "decode", "resize", "queue", "inference", "respond"
    ]  # fmt: skip
    total = float(str(rows.first.locator(".total").text_content()).removesuffix(" ms"))
    assert total == pytest.approx(sum(parts), rel=0.02)
    expect(page.locator("#times-what")).to_contain_text("received and decoded once")


def test_labels_are_text_whatever_they_hold(page: Page, service: ServiceProcess) -> None:
    take_sample(page)
    assert told(card(page, HOSTILE))[0][0].startswith(HTML)
    assert page.locator("#cards img").count() == 0
    assert page.title() != "1"


def test_untrained_models_are_told(page: Page, service: ServiceProcess) -> None:
    take_sample(page)
    expect(page.locator("#untrained")).to_contain_text("marked untrained never learnt")
    expect(card(page, RANDOM).locator(".badge")).to_have_text("untrained")
    expect(card(page, TRAINED).locator(".badge")).to_have_count(0)


@pytest.mark.parametrize("way", ["chosen", "dropped", "pasted"])
def test_file_is_sent_as_it_is(page: Page, service: ServiceProcess, way: str) -> None:
    data = png(seed=7, size=40)
    with sending(page):
        if way == "chosen":
            page.get_by_label("Choose a photo").set_input_files(picture("mine.png", data))
        else:
            page.evaluate(TRANSFER, [list(data), way])
    expect(page.locator("#photo-name")).to_have_text(f"mine.png, {_size(data)}")
    assert told(card(page, TRAINED)) == answer(service, TRAINED, data)


def _size(data: bytes) -> str:
    return f"{len(data) / 1024:.1f}".removesuffix(".0") + " KiB"


def test_keyboard_alone_is_enough(browser: Browser, service: ServiceProcess) -> None:
    with visit(browser, service.url) as page:
        expect(page.locator("#state")).to_have_text("3 models ready")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")  # past the header
        expect(page.locator("#photo-title")).to_be_focused()
        reached = []
        for _ in range(5):
            page.keyboard.press("Tab")
            reached.append(_focused(page))
        assert [name for name, _ in reached] == ["file", "Cat", "Coffee", "Rocket", "Astronaut"]
        assert all(seen for _, seen in reached), reached
        page.keyboard.press("Enter")
        expect(summary(page)).to_contain_text("3 models answered in")
        assert _focused(page)[0] == "Astronaut"
        page.keyboard.press("Shift+Tab")
        page.keyboard.press("Space")
        expect(page.locator("#photo-name")).to_contain_text("rocket")


def _focused(page: Page) -> tuple[str, bool]:
    """What has the focus, and whether a ring shows it (the file's is round its label)."""
    name, seen = page.evaluate(
        """() => {
            const it = document.activeElement;
            const shown = it.id === "file" ? document.querySelector("[for=file]") : it;
            return [it.textContent || it.id, getComputedStyle(shown).outlineStyle !== "none"];
        }"""
    )
    return str(name), bool(seen)


@pytest.mark.parametrize(
    ("data", "title", "why"),
    [
        pytest.param(png()[:60], "could not read this picture", "image", id="broken"),
        pytest.param(b"%PDF-1.7 no picture\n", "cannot read this kind", "JPEG", id="no-picture"),
        pytest.param(png_header(40_000, 40_000), "too large", "pixels", id="too-many-pixels"),
        pytest.param(b"\xff" * (LIMIT + 1), "too large", "Nothing was sent", id="too-many-bytes"),
    ],
)
def test_refused_files_are_explained(
    page: Page, service: ServiceProcess, data: bytes, title: str, why: str
) -> None:
    expect(page.locator("#limits")).to_contain_text("195.3 KiB and 50 megapixels")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url))
    page.get_by_label("Choose a photo").set_input_files(picture("it.png", data))
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text(title)
    expect(alert).to_contain_text(why)
    assert any("/v1/compare" in url for url in sent) == (len(data) <= LIMIT)
    for of_an_earlier_photo in ("#untrained", "#legend"):
        expect(page.locator(of_an_earlier_photo)).to_be_hidden()
    expect(summary(page)).to_be_empty()


@pytest.mark.parametrize(
    ("size", "scheme"),
    [
        pytest.param(DESK, "light", id="light"),
        pytest.param(DESK, "dark", id="dark"),
        pytest.param(PHONE, "light", id="phone"),
    ],
)
def test_page_is_accessible_and_fits(
    browser: Browser, service: ServiceProcess, size: tuple[int, int], scheme: str
) -> None:
    with visit(browser, service.url, size=size, scheme=scheme) as page:
        take_sample(page)
        page.get_by_text("The same in numbers").click()
        expect(page.get_by_role("rowheader", name=TRAINED).first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, re.findall(r"\d+", ground)[:3])) < 128) == (scheme == "dark")
        assert broken_rules(page) == []


def test_live_figures_follow_the_load(page: Page, service: ServiceProcess) -> None:
    row = page.get_by_role("table", name="Live").get_by_role("row", name=RANDOM)
    expect(row.locator("[data-name=p99]")).not_to_contain_text("ms")
    for _ in range(150):
        assert service.client.post(f"/v1/classify?model={RANDOM}", png()).status == 200
    expect(row.locator("[data-name=p99]")).to_contain_text("ms")
    expect(row.locator("[data-name=p50]")).to_contain_text("ms")
    assert float(str(row.locator("[data-name='answers/s']").text_content())) > 1
    expect(row.locator("[data-name='refused/s']")).to_have_text("0")
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("#live-what")).to_contain_text("paused")
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("#live-what")).not_to_contain_text("paused")


def test_only_ticked_models_are_asked(page: Page, service: ServiceProcess) -> None:
    page.get_by_label(f"Ask {RANDOM}").uncheck()
    page.get_by_label(f"Ask {HOSTILE}").uncheck()
    take_sample(page)
    expect(summary(page)).to_contain_text("1 model answered in")
    assert told(card(page, RANDOM)) == []
    page.get_by_label(f"Ask {TRAINED}").uncheck()
    page.get_by_role("button", name="Send again").click()
    expect(page.get_by_role("alert")).to_contain_text("No model is ticked")
    for model in (TRAINED, RANDOM, HOSTILE):
        page.get_by_label(f"Ask {model}").check()


def test_photo_is_sent_many_times_or_until_stopped(page: Page, service: ServiceProcess) -> None:
    take_sample(page)
    expect(page.get_by_role("alert")).to_be_hidden()
    page.get_by_role("button", name="Send 100 times").click()
    expect(page.locator("#times-what")).to_contain_text("Medians of")
    page.get_by_role("button", name="Stop").click()
    expect(summary(page)).to_have_text("Stopped.")
    page.get_by_role("button", name="Send 100 times").click()
    expect(summary(page)).to_contain_text("answered 100 times")
    expect(page.locator("#times-what")).to_contain_text("Medians of 100 requests")
    expect(card(page, TRAINED)).to_contain_text("median of 100")


def test_what_else_the_repository_has_is_told(
    page: Page, service: ServiceProcess, repository: Path
) -> None:
    """What no --model names is not loaded; what cannot be loaded again serves on as it was."""
    write_tiny(repository, "spare")
    (repository / RANDOM / "model.onnx").write_bytes(b"damaged")
    service.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "not loaded model=" in service.text)
    look_again(page)
    expect(page.locator("#others")).to_contain_text("not loaded: spare-onnx-fp32")
    expect(card(page, RANDOM)).to_contain_text("last tried with it failed")
    expect(page.locator("#state")).to_have_text("3 models ready")
