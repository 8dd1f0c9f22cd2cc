"""What front ends and the engine process never do to each other, whatever one of them says."""

import asyncio
import socket
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from service.frontends import engine_link, frames, remote_core
from service.frontends.arena import Arena
from service.frontends.engine_link import EngineLink
from service.frontends.frames import Kind
from service.frontends.frontend_process import Fresh
from service.frontends.remote_core import RemoteCore
from service.frontends.shared_memory import attach, create
from service.frontends.snapshot import State, write_state
from service.loading import Loaded
from service.seam import Answer, Priority, Refusal
from tests.service.fakes import FakeEngine, picture
from tests.service.frontends.joined import TINY, Joined, soon
from tests.service.frontends.test_parts import INFO

pytestmark = pytest.mark.anyio

Make = Callable[..., Joined]


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(frames.frame(Kind.SUBMIT, b"short"), id="no-submission"),
        pytest.param(frames.frame(Kind.ANSWER, b"\0" * 8), id="an-answer"),
        pytest.param(b"\0\0\0\0\x7f", id="unknown-kind"),
        pytest.param(b"\xff\xff\xff\xff\x01", id="endless"),
        pytest.param(frames.numbered(Kind.ASK, 1, "what"), id="no-question"),
        pytest.param(frames.frame(Kind.ASK, b"\0" * 8 + b"{"), id="no-json"),
    ],
)
async def test_front_end_that_says_what_nobody_understands_is_hung_up_on(
    joined: Make, sent: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    service = joined(FakeEngine())
    front, other = await service.join(), await service.join()

    service.links[0].send(sent)
    while front.unready() is None:
        await asyncio.sleep(0)

    assert "frontend=0 hung up on" in caplog.text
    assert isinstance(await other.submit(TINY, picture(1), deadline=soon()), Answer)


async def test_submission_beyond_its_memory_is_never_read(
    joined: Make, caplog: pytest.LogCaptureFixture
) -> None:
    service = joined(FakeEngine())
    front = await service.join()
    asked = frames.Submission(1, soon(), 1 << 18, 1, 2, 2, 0, 8, Priority.NORMAL, TINY)

    service.links[0].send(frames.submission(asked))
    while front.unready() is None:
        await asyncio.sleep(0)

    assert "12 bytes at 262144 of 262144" in caplog.text
    assert service.engine.calls == []


async def test_model_that_changes_its_classes_under_way_is_refused_not_overrun(
    joined: Make,
) -> None:
    service = joined(FakeEngine())
    front = await service.join()
    info = service.core.models()[0]
    wider = replace(info.manifest, labels=("a", "b", "c"))
    engine = WideEngine()
    service.core.add(Loaded(replace(info, manifest=wider), (engine,)))

    refusal = await front.submit(TINY, picture(*[1] * 4), deadline=soon())

    assert isinstance(refusal, Refusal)
    assert "another number of classes" in refusal.message
    await service.hub.spread()
    assert isinstance(await front.submit(TINY, picture(1), deadline=soon()), Answer)


class WideEngine(FakeEngine):
    """Three classes instead of two."""

    def infer(self, pixels: np.ndarray) -> np.ndarray:
        return np.concatenate([super().infer(pixels), np.zeros((len(pixels), 1), np.float32)], 1)


async def test_engine_process_that_hangs_as_a_whole_keeps_nobody_waiting(
    anyio_backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In its place a socket that nobody reads, and then one who answers late."""
    monkeypatch.setattr(engine_link, "LOOK", 0.01)
    monkeypatch.setattr(engine_link, "OVERDUE", 0.01)
    monkeypatch.setattr(remote_core, "PATIENCE", 0.05)
    arena = Arena(attach(create("test", 1 << 16)))
    front = RemoteCore(arena)
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    _, link = await asyncio.get_running_loop().create_unix_connection(
        lambda: EngineLink(front), sock=ours
    )
    front.connected(link)
    front.told({"models": write_models(), "unready": None, "unready_models": {}, "draining": False})

    refusal = await front.submit(TINY, picture(1), deadline=soon(0.02))
    await front.refresh()

    assert refusal == Refusal(
        "expired", "the deadline passed and the engine process did not answer"
    )
    assert "does not answer within" in str(front.unready())
    assert arena.free < arena.size  # it may still write there
    monkeypatch.setattr(remote_core, "PATIENCE", 30.0)
    again = asyncio.create_task(front.refresh())
    await asyncio.sleep(0)
    told: dict[str, object] = {"statistics": {}, "pending": {}, "index": []}
    theirs.sendall(frames.numbered(Kind.TOLD, 2, told) + frames.numbered(Kind.GONE, 1))
    await again
    assert front.unready() is None
    assert arena.free == arena.size
    theirs.close()
    link.hang_up()


async def test_change_that_meets_the_unforeseen_is_refused_and_logged(
    joined: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    service = joined(FakeEngine())
    front = await service.join()

    async def load(name: str) -> None:
        raise RuntimeError(f"unforeseen with {name}")

    monkeypatch.setattr(service.core, "load", load)
    async with asyncio.timeout(30):
        refusal = await front.load("other")

    assert refusal == Refusal("failed", "an unexpected error in the core")
    assert "unforeseen with other" in caplog.text


async def test_page_and_probes_are_answered_without_asking_other_processes(
    joined: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = joined(FakeEngine())
    front = await service.join()
    asked: list[str] = []
    answered: list[str] = []

    async def app(scope: Any, _: Any, __: Any) -> None:
        answered.append(scope["path"])

    async def refresh() -> None:
        asked.append("counts")

    async def gather() -> None:
        asked.append("metrics")

    monkeypatch.setattr(front, "refresh", refresh)
    fresh = Fresh(app, front, gather)
    alone = ["/", "/page/settings.json", "/healthz", "/v1/classify", "/v2/models/m/infer"]
    for path in [*alone, "/readyz", "/metrics"]:
        await fresh({"type": "http", "path": path}, None, None)  # type: ignore[arg-type]

    assert answered == [*alone, "/readyz", "/metrics"]
    assert asked == ["counts", "metrics"]


def write_models() -> object:
    state = State((INFO,))
    return write_state(state, with_models=True)["models"]
