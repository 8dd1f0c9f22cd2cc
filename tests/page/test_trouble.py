"""What the page says where the service does not answer. Services in this process, with engines
that are held or fail on command; a real one where keys are asked for."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Route, expect

from inference.engine import Logits, Pixels
from tests.page.browsing import look_again, sending, summary, take_sample, visit
from tests.service.client import png
from tests.service.fakes import FakeEngine
from tests.service.local_service import LocalService
from tests.service.process import ServiceProcess
from tests.service.test_watch import wait_for
from tests.tiny import write_tiny

KEY = "a-key-of-the-page-5d2f"


class FailingEngine(FakeEngine):
    """A fake that answers nothing, not even what it is probed with."""

    def infer(self, pixels: Pixels) -> Logits:  # noqa: ARG002  it looks at nothing
        raise ValueError("<b>the device is gone</b>")


def test_overload_is_told_and_when_to_come_again(browser: Browser) -> None:
    service = LocalService(FakeEngine(held=True), capacity=1)
    try:
        with (
            visit(browser, service.client.url, refusals=True) as page,
            ThreadPoolExecutor(2) as pool,
        ):
            expect(page.locator("#state")).to_have_text("1 model ready")
            waiting = [pool.submit(service.client.post, "/v1/classify", png())]
            assert service.engine.entered.acquire(timeout=30)
            waiting.append(pool.submit(service.client.post, "/v1/classify", png()))
            wait_for(lambda: service.pending() == 2)
            page.get_by_role("button", name="Cat").click()
            alert = page.get_by_role("alert")
            expect(alert).to_contain_text("overloaded or not ready. Try again in")
            expect(alert).to_contain_text("queue")
            service.engine.let_go()
            assert [each.result().status for each in waiting] == [200, 200]
            page.get_by_role("button", name="Send again").click()
            expect(summary(page)).to_contain_text("1 model answered in")
            expect(alert).to_be_hidden()
    finally:
        service.stop()


def test_a_failing_model_leaves_the_others_their_answers(browser: Browser) -> None:
    service = LocalService(FakeEngine(), FailingEngine())
    try:
        with visit(browser, service.client.url, refusals=True) as page:
            expect(page.locator("#state")).to_have_text("2 models ready")
            take_sample(page)
            expect(summary(page)).to_contain_text("1 model did not answer")
            card = page.locator("#cards > li").filter(has_text="other-onnx-fp32")
            expect(card).to_contain_text("No answer from this model")
            expect(card).to_contain_text("<b>the device is gone</b>")
            for _ in range(2):  # three failures in a row, and the engine is in doubt
                with sending(page):
                    page.get_by_role("button", name="Send again").click()
            wait_for(lambda: service.core.unready_model("other-onnx-fp32") is not None)
            look_again(page)
            expect(card).to_contain_text("Not serving: ")
            expect(page.locator("#state")).to_have_text("1 model ready")
            page.context.set_offline(True)
            page.get_by_role("button", name="Send again").click()
            expect(page.get_by_role("alert")).to_contain_text("cannot be reached")
            expect(page.locator("#live-what")).to_contain_text("cannot be read from here")
    finally:
        service.stop()


def test_loading_is_told_until_it_is_done(browser: Browser) -> None:
    """The index is a stand-in's: a model that is being opened cannot be held there."""

    def still_loading(route: Route) -> None:
        entry = {"name": "next-onnx-fp32", "version": "1", "state": "LOADING", "reason": ""}
        route.fulfill(status=200, content_type="application/json", body=json.dumps([entry]))

    service = LocalService(FakeEngine())
    try:
        with visit(browser, "about:blank") as page:
            page.route("**/v2/repository/index", still_loading)
            page.goto(service.client.url)
            expect(page.locator("#state")).to_have_text("no model is ready, loading next-onnx-fp32")
            expect(page.locator("#cards")).to_contain_text("Loading: it is opened, verified")
            page.unroute("**/v2/repository/index")
            expect(page.locator("#state")).to_have_text("1 model ready")
            expect(page.locator("#cards > li")).to_have_count(1)
    finally:
        service.stop()


def test_key_is_asked_for_and_kept_in_memory_alone(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tiny(tmp_path)
    (tmp_path / "keys.toml").write_text(f'[page]\nkey = "{KEY}"\n')
    service = ServiceProcess(
        tmp_path, "--drain-delay", "0", STRIDE_API_KEYS=str(tmp_path / "keys.toml")
    ).wait_until_ready()
    try:
        with visit(browser, service.url, refusals=True) as page:
            field = page.get_by_label("API key")
            expect(field).to_be_focused()
            page.get_by_role("button", name="Cat").click()
            expect(page.get_by_role("alert")).to_contain_text("asks for an API key")
            field.fill("a-wrong-key-of-the-page")
            field.press("Enter")
            expect(page.locator("#state")).to_have_text("needs a valid API key")
            field.fill(KEY)
            field.press("Enter")
            expect(page.locator("#state")).to_have_text("1 model ready")
            expect(field).to_be_hidden()
            take_sample(page)
            kept = "[document.cookie, localStorage.length, sessionStorage.length, location.search]"
            assert page.evaluate(kept) == ["", 0, 0, ""]
            page.reload()
            expect(field).to_be_focused()
    finally:
        assert service.stop() == 0, service.text
    assert KEY not in service.text
