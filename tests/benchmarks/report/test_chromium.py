"""The page in a real browser, where one is installed."""

import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from benchmarks.report.page import html
from tests.benchmarks.report.hand_made_results import HOSTILE, make_report, write_results

CHROMIUM = next(
    (
        found
        for name in ("chromium", "chromium-browser", "google-chrome")
        if (found := shutil.which(name))
    ),
    None,
)
QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
PROBE = """
<script>
document.title = "probe";
addEventListener("load", () => {
  const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  const pre = document.createElement("pre");
  pre.id = "probe";
  pre.textContent = JSON.stringify({
    loaded: performance.getEntriesByType("resource").map(entry => entry.name)
      .filter(name => !name.startsWith("data:")),
    overflow: wide,
    pictures: document.querySelectorAll("svg").length,
    drawn: [...document.querySelectorAll("svg")].filter(it => it.getBBox().width > 100).length,
    scripts: document.querySelectorAll("script").length,
  });
  document.body.append(pre);
});
</script>
"""


class Pages(BaseHTTPRequestHandler):
    """Serves one page, and notes everything else that is asked for."""

    page = b""
    asked: list[str] = []  # noqa: RUF012  set anew by the fixture

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(200 if self.path == "/" else 404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        if self.path == "/":
            self.wfile.write(self.page)

    def log_message(self, *arguments: object) -> None:
        """Not on standard error."""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    directory = tmp_path_factory.mktemp("results")
    write_results(directory, name=HOSTILE)
    return html(make_report(directory, against="20260130").page)


@pytest.fixture
def server(page: str) -> Iterator[str]:
    Pages.page, Pages.asked = page.replace("</head>", f"{PROBE}</head>").encode(), []
    with ThreadingHTTPServer(("127.0.0.1", 0), Pages) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}/"
        running.shutdown()
        thread.join()


def opened(address: str, profile: Path, *, width: int) -> tuple[str, str]:
    """The document after loading, and what the browser wrote to its console."""
    assert CHROMIUM is not None
    done = subprocess.run(
        [
            CHROMIUM, *QUIET, f"--user-data-dir={profile}", "--enable-logging=stderr",
            f"--window-size={width},1200", "--virtual-time-budget=5000", "--dump-dom", address,
        ],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    return done.stdout, done.stderr


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed here")
@pytest.mark.parametrize("width", [pytest.param(1280, id="desk"), pytest.param(500, id="narrow")])
def test_page_opens_in_chromium_without_errors_or_requests(
    server: str, tmp_path: Path, width: int
) -> None:
    document, log = opened(server, tmp_path / "profile", width=width)
    found = re.search(r'<pre id="probe">(.*?)</pre>', document, re.DOTALL)
    assert found is not None, log
    seen = json.loads(found[1].replace("&quot;", '"').replace("&amp;", "&"))
    assert seen["loaded"] == []
    assert Pages.asked == ["/"], "the page alone was asked for"
    assert "CONSOLE" not in log, log
    assert seen["overflow"] <= 0, "nothing is wider than the window"
    assert seen["pictures"] >= 8
    assert seen["drawn"] == seen["pictures"]
    assert seen["scripts"] == 1, "only the one of this test"
