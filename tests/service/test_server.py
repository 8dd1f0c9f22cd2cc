import resource
import socket

import pytest

from measuring.errors import InputError, MissingError
from service.listening import allow_connections, bind


def test_bind_listens_without_nagles_algorithm_in_the_way() -> None:
    with bind("127.0.0.1", 0) as listener:
        assert listener.proto == socket.IPPROTO_TCP
        assert listener.getsockname()[1] > 0


def test_bind_to_a_port_that_is_taken_says_what_to_do() -> None:
    with bind("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(MissingError, match=f"port {port}: Address already in use; stop what"):
            bind("127.0.0.1", port)


def test_bind_to_an_address_of_another_machine_says_what_to_do() -> None:
    with pytest.raises(MissingError, match="Cannot assign requested address; give --host"):
        bind("192.0.2.1", 0)  # reserved for documentation, so nobody's


@pytest.mark.parametrize("host", [pytest.param("no.such.host.invalid", id="unknown"),
                                  pytest.param("a" * 70, id="too-long")])  # fmt: skip
def test_bind_to_a_host_that_is_none_of_ours_is_refused(host: str) -> None:
    with pytest.raises(InputError, match="is no address of this machine"):
        bind(host, 0)


def test_connections_are_as_many_as_the_system_allows(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """With a double of the process's limits: those of the tests themselves are left alone."""
    raised: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: raised.append(limits))

    for soft, hard, expected in ((1 << 20, 1 << 20, 1000), (500, 5000, 1000), (500, 800, 544)):
        monkeypatch.setattr(resource, "getrlimit", lambda _, now=(soft, hard): now)
        assert allow_connections(1000) == expected

    assert raised == [(1256, 5000), (800, 800)]
    assert "files=800 allow connections=544 of 1000; raise ulimit -n" in caplog.text
