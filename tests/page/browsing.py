"""Debian's Chromium, and what a visit to the page leaves behind."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from typing import Any

from playwright.sync_api import Browser, Page, expect, sync_playwright

CHROMIUM = shutil.which("chromium")
MISSING = "Chromium is not here, see scripts/install-test-tools"
DESK, PHONE = (1280, 900), (360, 740)
_AXE = files("axe_playwright_python") / "axe.min.js"
# What a browser writes for any answer that is not 2xx.
_REFUSED = "Failed to load resource"

expect.set_options(timeout=15_000)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Without its sandbox where we are root, under whom it does not start with one."""
    assert CHROMIUM is not None
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


@contextmanager
def visit(
    browser: Browser,
    url: str,
    *,
    size: tuple[int, int] = DESK,
    scheme: Any = "light",
    refusals: bool = False,
) -> Iterator[Page]:
    """The page in a fresh context. At its end nothing may have been written to the console, where
    errors, broken promises and breaches of the content security policy are told; `refusals`: but
    for answers of the service that are errors."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme=scheme,
        reduced_motion="reduce",
    )
    page = context.new_page()
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text))
    page.on("pageerror", lambda error: told.append(str(error)))
    page.goto(url)
    yield page
    context.close()
    assert [text for text in told if not (refusals and text.startswith(_REFUSED))] == []


def broken_rules(page: Page) -> list[str]:
    """What axe finds wrong: WCAG 2.2 up to AA, and what else it takes for good practice."""
    page.evaluate(_AXE.read_text(encoding="utf-8"))
    options = {
        "resultTypes": ["violations"],
        "rules": {"target-size": {"enabled": True}},
    }
    found = page.evaluate("options => axe.run(document, options)", options)
    return [
        f"{rule['id']}: {node['target']} {node['failureSummary']}"
        for rule in found["violations"]
        for node in rule["nodes"]
    ]


def summary(page: Page) -> Any:
    """Where the page says how it went."""
    return page.locator("#summary")


@contextmanager
def sending(page: Page) -> Iterator[None]:
    """Around what sends a photo; ends once the answer is shown. A page that was used before shows
    an older one until then."""
    with page.expect_response("**/v1/compare*"):
        yield
    expect(summary(page)).to_contain_text("answered in")


def take_sample(page: Page, name: str = "Cat") -> None:
    """Click a sample photo and wait for the answers."""
    with sending(page):
        page.get_by_role("button", name=name, exact=True).click()


def look_again(page: Page) -> None:
    """As if the page had just come to the front: it asks the service at once what is loaded."""
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
