"""A service that starts, one that dies and one that hangs: none of them is left behind."""

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from demo import service_process
from demo.command import Command
from demo.screen import Screen
from demo.service_process import Service, free_port, started, stop, wait_until_ready
from measuring.errors import CheckError, MissingError
from tests.demo.small_service import closed_port

READY = """
import http.server, signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(int(sys.argv[2])))
class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/readyz" else 404)
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Ready).serve_forever()
"""
DEAD = "import sys; print('the artifacts are gone', file=sys.stderr); sys.exit(3)"
HANGING = "import threading; print('opening', flush=True); threading.Event().wait(60)"
DEAF = """
import os, signal, threading
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", os.getpid(), flush=True)
threading.Event().wait(60)
"""


def script(code: str, *arguments: object) -> Command:
    return Command("python", sys.executable, ("-c", code, *map(str, arguments)))


def starting(tmp_path: Path, code: str, *, code_at_end: int = 0) -> Any:
    port = free_port(0)
    command = script(code, port, code_at_end)
    return started(command, Screen(), port=port, log=tmp_path / "service.log")


def serve_and_stop(tmp_path: Path, code: str, *, says: str) -> None:
    with starting(tmp_path, code) as service:
        while says not in service.log.read_text():
            assert is_alive(service)
        stop(service)


def is_alive(service: Service) -> bool:
    return service.process.poll() is None


def test_service_is_waited_for_and_stopped(tmp_path: Path) -> None:
    with starting(tmp_path, READY) as service:
        wait_until_ready(service, timeout=60.0)
        assert is_alive(service)
        assert service.url == f"http://127.0.0.1:{service.port}"

        stop(service)

    assert service.process.returncode == 0


def test_service_that_is_not_stopped_stays_and_leads_its_own_session(tmp_path: Path) -> None:
    with starting(tmp_path, READY) as service:
        wait_until_ready(service, timeout=60.0)

    assert is_alive(service)
    assert os.getsid(service.process.pid) == service.process.pid != os.getsid(0)
    stop(service)


def test_service_that_dies_shows_its_last_words(tmp_path: Path) -> None:
    with (
        pytest.raises(CheckError, match=r"exit code 3; the end of its log .*\n  the artifacts are"),
        starting(tmp_path, DEAD) as service,
    ):
        wait_until_ready(service, timeout=60.0)


def test_service_that_is_never_ready_is_ended(tmp_path: Path) -> None:
    with (
        pytest.raises(CheckError, match=r"not ready within 0\.3 s"),
        starting(tmp_path, HANGING) as service,
    ):
        wait_until_ready(service, timeout=0.3)

    assert not is_alive(service)


def test_interrupted_block_ends_the_service(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), starting(tmp_path, HANGING) as service:
        raise KeyboardInterrupt

    assert not is_alive(service)


def test_stop_tells_of_a_bad_end(tmp_path: Path) -> None:
    with starting(tmp_path, READY, code_at_end=7) as service:
        wait_until_ready(service, timeout=60.0)

        with pytest.raises(CheckError, match="ended with exit code 7"):
            stop(service)


def test_service_deaf_to_sigterm_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_process, "STOP", 0.1)
    monkeypatch.setattr("demo.command.GRACE", 0.2)

    with pytest.raises(CheckError, match=r"did not end within 0\.1 s of SIGTERM"):
        serve_and_stop(tmp_path, DEAF, says="deaf")

    pid = int((tmp_path / "service.log").read_text().split()[1])
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_service_that_said_nothing(tmp_path: Path) -> None:
    with (
        pytest.raises(CheckError, match=r"exit code 0; .*service\.log is empty"),
        starting(tmp_path, "") as service,
    ):
        wait_until_ready(service, timeout=60.0)


def test_free_port_gives_one_that_is_free() -> None:
    assert 0 < free_port(0) < 65536


def test_free_port_keeps_the_wanted_one() -> None:
    port = closed_port()

    assert free_port(port) == port


def test_free_port_refuses_one_that_is_taken(tmp_path: Path) -> None:
    with starting(tmp_path, READY) as service:
        wait_until_ready(service, timeout=60.0)
        with pytest.raises(MissingError, match=f"port {service.port}: Address already in use"):
            free_port(service.port)
        stop(service)
