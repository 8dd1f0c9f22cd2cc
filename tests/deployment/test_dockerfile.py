"""The Dockerfile: what a linter says, what it copies, and what its images are."""

import json
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.deployment.dockerfile import ROOT, TEXT, in_context, stages, tracked

STAGES = stages()
IMAGES = ("serve", "serve-gpu", "export", "loadtest")


def test_linter_has_nothing_to_say() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run(
        [hadolint, "--failure-threshold", "style", ROOT / "Dockerfile"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "")


def test_everything_that_is_copied_is_committed_and_in_the_context() -> None:
    files = [name for name in tracked() if in_context(name)]
    copied = [
        source
        for stage in STAGES.values()
        for copy in stage.all("COPY")
        if "--from=" not in copy.rest
        for source in copy.words()[:-1]
    ]
    assert len(copied) > 10
    for source in copied:
        assert any(name == source or name.startswith(f"{source}/") for name in files), source


def test_every_package_is_copied() -> None:
    """pyproject.toml lists them, and an install fails without one."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    listed = re.findall(r'"([a-z]+)[."]', text.partition("packages = [")[2].partition("]")[0])
    copied = {copy.words()[-1] for copy in STAGES["build"].all("COPY")}
    assert set(listed) <= copied


def test_context_is_small_and_has_no_secrets() -> None:
    for name in (".git", ".env", ".venv", "artifacts", "results", "profiles", "tests", "shared"):
        assert not in_context(f"{name}/anything"), name
    assert not in_context(".env")
    assert not in_context("service/__pycache__/app.cpython-311.pyc")
    assert in_context("service/page/samples/cat.jpg")
    assert in_context("monitoring/__init__.py")
    size = sum((ROOT / name).stat().st_size for name in tracked() if in_context(name))
    assert size < 4_000_000
    assert not re.search(r"(?i)(password|secret|token|api_?key)\s*=", TEXT)


def test_bases_are_pinned() -> None:
    bases = {stage.parent for stage in STAGES.values()} - set(STAGES)
    assert bases
    for base in bases:
        assert re.fullmatch(r"python:3\.\d+\.\d+-slim-[a-z]+", base), base


@pytest.mark.parametrize("image", IMAGES)
def test_image_runs_as_nobody_in_particular(image: str) -> None:
    run = STAGES["run"]
    assert STAGES[image].parent == "run"
    assert [user.rest for user in run.all("USER")] == ["10001:10001"]
    assert not STAGES[image].all("USER")
    assert not run.all("RUN")
    assert not STAGES[image].all("RUN")
    assert [entry.word for entry in STAGES[image].all("ENTRYPOINT")] == ["ENTRYPOINT"]


def test_service_is_what_is_built_when_nothing_is_said() -> None:
    assert list(STAGES)[-1] == "serve"
    for image in ("serve", "serve-gpu"):
        assert "/readyz" in STAGES[image].all("HEALTHCHECK")[0].rest
        assert "curl" not in STAGES[image].all("HEALTHCHECK")[0].rest


class Readiness(BaseHTTPRequestHandler):
    """A fake service, which has nothing but its readiness."""

    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status if self.path == "/readyz" else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.mark.parametrize("image", ["serve", "serve-gpu"])
@pytest.mark.parametrize("status", [200, 503])
def test_health_is_readiness_whatever_proxy_there_is(image: str, status: int) -> None:
    command = json.loads(STAGES[image].all("HEALTHCHECK")[0].rest.partition("CMD ")[2])
    handler = type("Handler", (Readiness,), {"status": status})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        server.timeout = 10
        answering = threading.Thread(target=server.handle_request)
        answering.start()
        environment = {
            "PATH": str(Path(sys.executable).parent),
            "STRIDE_PORT": str(server.server_port),
            "http_proxy": "http://127.0.0.1:1",
        }
        done = subprocess.run(command, env=environment, capture_output=True, check=False)
        answering.join(10)
    assert (done.returncode == 0) == (status == 200), done.stderr


def test_service_has_no_torch() -> None:
    """By what is installed; tests/deployment/test_install.py looks at what comes of it."""
    installed = " ".join(run.rest for run in STAGES["build-serve"].all("RUN"))
    assert "torch" not in installed
    assert not re.search(r"\[[^]]*(export|dev|demo)", installed)


def test_versions_are_those_of_the_project() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert re.findall(r"onnxruntime-gpu==([\d.]+)", TEXT) == re.findall(
        r"onnxruntime-gpu\[[a-z,]*\]==([\d.]+)", text
    )
    torch = str(STAGES["build-export"].all("ARG")[0].rest)
    assert torch.removeprefix("TORCH=").partition("+")[0] in text
