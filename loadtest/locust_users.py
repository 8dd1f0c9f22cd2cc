"""The users that locust starts: each asks, checks the answer, and notes what the service says that
its stages took."""

import random
import socket
from typing import Any, ClassVar

import gevent
from geventhttpclient.client import HTTPClient, HTTPClientPool
from geventhttpclient.url import URL
from locust import FastHttpUser, task
from locust.contrib.fasthttp import ResponseContextManager
from locust.env import Environment
from locust.exception import CatchResponseError, StopUser
from locust.user.wait_time import constant_pacing

from loadtest.locust_options import read_options
from loadtest.locust_traffic import HOST, TIMEOUT, Ask, traffic_of
from loadtest.prepared import HEADER_LENGTH
from loadtest.server_timing import stages

STAGE = "stage"
"""The type of rows that hold what the service says, beside those of clients."""
_BLOCK = 1 << 16
"""Bytes read at a time: 64 pictures have 256 KB of logits."""
_random = random.Random()  # noqa: S311  no secret depends on it
_examples: dict[tuple[str, str], str] = {}
"""One message of each kind of failure in each row: they are counted by their text."""


class NoDelayPool(HTTPClientPool):
    """Keeps connections open and sends at once what there is to send (TCP_NODELAY): the end of a
    body must not wait until its beginning is acknowledged."""

    def get_client(self, url: str | URL) -> HTTPClient:
        known = len(self.clients)
        client = super().get_client(url)
        if len(self.clients) != known:
            client._connection_pool.after_connect = _without_delay  # type: ignore[method-assign]
        return client


def _without_delay(sock: Any) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class ServiceUser(FastHttpUser):
    """One client with one connection, which asks again when it is answered, or at its rate."""

    abstract = True
    host = HOST
    kind: ClassVar[str]

    def __init__(self, environment: Environment) -> None:
        self.client_pool = NoDelayPool(
            concurrency=1,
            block_size=_BLOCK,
            connection_timeout=TIMEOUT,
            network_timeout=TIMEOUT,
        )
        super().__init__(environment)
        self.client.client.cookiejar = None  # looking for cookies takes longer than sending
        rate = read_options(environment.parsed_options).user_rate
        self._pace = constant_pacing(1.0 / rate) if rate else None
        self._traffic = traffic_of(environment)

    def on_start(self) -> None:
        """Users that start together must not go on asking together."""
        if self._pace is not None:
            gevent.sleep(_random.random() * self._pace(self))

    def wait_time(self) -> float:
        """Seconds until the next request: at most as many as the rate asks for."""
        return 0.0 if self._pace is None else self._pace(self)

    @task
    def ask(self) -> None:
        """One request."""
        asks = self._traffic.asks.get(self.kind)
        if not asks:
            self._report(self._traffic.problem or f"nothing to ask for {self.kind}")
            raise StopUser
        chosen = _random.choice(asks)
        index = _random.randrange(len(chosen.bodies))
        with self.client.post(
            chosen.path,
            data=chosen.bodies[index],  # type: ignore[arg-type]  # bytes are what it wants
            headers=chosen.headers,
            name=chosen.name,
            catch_response=True,
        ) as response:
            self._judge(chosen, index, response)

    def _judge(self, ask: Ask, index: int, response: ResponseContextManager) -> None:
        kind, message = _failure(ask, index, response)
        if kind:
            response.failure(_examples.setdefault((ask.name, kind), f"{kind}: {message}"))
            return
        timing = _header(response, "server-timing").encode("latin-1")
        for stage, seconds in stages(timing).items():
            # Not through locust's event: the row of all requests is of requests alone.
            entry = self.environment.stats.entries[(f"{ask.group}: {stage}", STAGE)]
            entry.log(seconds * 1e3, 0)

    def _report(self, problem: str) -> None:
        self.environment.events.request.fire(
            request_type="POST", name=self.kind, response_time=0.0, response_length=0,
            exception=CatchResponseError(problem), context={},
        )  # fmt: skip


def _failure(ask: Ask, index: int, response: ResponseContextManager) -> tuple[str, str]:
    """Its kind and what was received and expected; two empty texts for a right answer."""
    if not response.status_code:
        return "no answer", f"{getattr(response, 'error', None)!r}, expected status 200"
    data = response.content or b""
    if response.status_code != 200:
        text = data[:300].decode("utf-8", "replace")
        return f"status {response.status_code}", f"{text}, expected status 200"
    length = _header(response, HEADER_LENGTH)
    wrong = ask.wrong(index, data, int(length) if length.isdecimal() else None)
    return (wrong.kind, str(wrong)) if wrong else ("", "")


def _header(response: ResponseContextManager, name: str) -> str:
    """Empty where it is missing."""
    found = None if response.headers is None else response.headers.get(name)
    return found if isinstance(found, str) else ""


class Pictures(ServiceUser):
    """One encoded picture per request, to /v1/classify."""

    kind = "pictures"


class Pixels(ServiceUser):
    """Tensors of pixels, to /v2."""

    kind = "pixels"


class Comparing(ServiceUser):
    """One picture through several models, to /v1/compare."""

    kind = "compare"
