"""API keys as a client meets them, on a real process."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.client import png
from tests.service.process import STRIDE, ServiceProcess
from tests.service.test_watch import wait_for
from tests.tiny import write_tiny

KEY, LIMITED = "mobile-secret-e1f2a3", "batch-secret-b4c5d6"
ADMIN = "admin-secret-7f8e9d"
FILE = f'[mobile]\nkey = "{KEY}"\n[batch]\nkey = "{LIMITED}"\nrate = 0.01\nburst = 2\n'


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    repository = tmp_path_factory.mktemp("artifacts")
    write_tiny(repository)
    (repository / "keys.toml").write_text(FILE)
    service = ServiceProcess(
        repository, "--drain-delay", "0", "--access-log",
        STRIDE_API_KEYS=str(repository / "keys.toml"),
    ).wait_until_ready()  # fmt: skip
    yield service
    assert service.stop() == 0, service.text
    assert "secret" not in service.text


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Authorization": f"Bearer {KEY}"}, id="bearer"),
        pytest.param({"X-API-Key": KEY}, id="own-header"),
    ],
)
def test_key_lets_in(service: ServiceProcess, headers: dict[str, str]) -> None:
    assert service.client.request("POST", "/v1/classify", png(), headers).status == 200
    assert service.client.request("GET", "/v1/models", None, headers).status == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/classify"), ("POST", "/v1/compare"), ("GET", "/v1/models"),
        ("GET", "/v1/models/tiny"), ("GET", "/v1/classify"), ("POST", "/v2/models/tiny/infer"),
        ("GET", "/v2/models/tiny"), ("POST", "/v2/repository/models/tiny/unload"),
        ("GET", "/nowhere"), ("GET", "//healthz"), ("GET", "/healthz/"), ("GET", "/%2e/v1/models"),
    ],
)  # fmt: skip
def test_every_other_address_asks_for_a_key(
    service: ServiceProcess, method: str, path: str
) -> None:
    for headers in ({}, {"Authorization": "Bearer not-this-secret-one"}, {"X-API-Key": ""}):
        reply = service.client.request(method, path, png() if method == "POST" else None, headers)

        assert reply.status == 401
        assert "needs a valid key" in reply.error
        assert "send it as Authorization: Bearer KEY" in reply.error
        assert reply.headers["www-authenticate"] == 'Bearer realm="stride"'
        assert reply.headers["x-request-id"]


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/docs", "/openapi.json"])
def test_probes_metrics_and_the_description_are_open(service: ServiceProcess, path: str) -> None:
    assert service.client.get(path).status == 200


def test_key_with_a_rate_is_refused_beyond_it(service: ServiceProcess) -> None:
    statuses = [
        service.client.post("/v1/classify", png(), X_API_Key=LIMITED).status for _ in range(3)
    ]
    refused = service.client.get("/v1/models", X_API_Key=LIMITED)

    assert statuses == [200, 200, 429]
    assert refused.status == 429
    assert "the key 'batch' may come 0.01 times a second, 2 at once" in refused.error
    assert 0 < int(refused.headers["retry-after"]) <= 100
    assert service.client.post("/v1/classify", png(), X_API_Key=KEY).status == 200


def test_log_names_the_key_and_metrics_do_not(service: ServiceProcess) -> None:
    service.client.post("/v1/classify", png(), X_API_Key=KEY, X_Request_Id="named")
    text = service.client.get("/metrics").data.decode()

    wait_for(lambda: "id=named" in service.text)
    (line,) = (line for line in service.log if "id=named" in line)
    assert "models=tiny-onnx-fp32 key=mobile status=200" in line
    assert "mobile" not in text
    assert 'stride_requests_total{model="tiny-onnx-fp32",outcome="ok"}' in text


@pytest.mark.parametrize(("key", "code"), [(KEY, 0), ("", 2), ("no-secret-of-theirs", 2)])
def test_stride_classify_sends_the_key_of_its_environment(
    service: ServiceProcess, tmp_path: Path, key: str, code: int
) -> None:
    (tmp_path / "picture.png").write_bytes(png())
    done = subprocess.run(
        [STRIDE, "classify", tmp_path / "picture.png", "--url", service.url],
        capture_output=True, text=True, timeout=60, env=os.environ | {"STRIDE_API_KEY": key},
        check=False,
    )  # fmt: skip

    assert done.returncode == code, done.stderr
    assert ("HTTP 401: this address needs a valid key" in done.stderr) == (code == 2)
    assert "secret" not in done.stderr


def test_admin_token_opens_what_a_key_does_not(tmp_path: Path) -> None:
    write_tiny(tmp_path)
    (tmp_path / "keys.toml").write_text(FILE)
    service = ServiceProcess(
        tmp_path, "--drain-delay", "0", "--api-keys", str(tmp_path / "keys.toml"),
        "--model-control", STRIDE_ADMIN_TOKEN=ADMIN,
    ).wait_until_ready()  # fmt: skip
    unload = "/v2/repository/models/tiny/unload"

    assert service.client.post(unload, b"").status == 401
    assert service.client.post(unload, b"", X_API_Key=KEY).status == 401
    assert service.client.post("/v1/classify", png(), X_API_Key=KEY).status == 200
    admin = {"Authorization": f"Bearer {ADMIN}"}
    assert service.client.request("POST", "/v1/classify", png(), admin).status == 200
    assert service.client.request("POST", unload, b"", admin).status == 200
    assert service.stop() == 0, service.text
    assert "secret" not in service.text


def test_sighup_takes_up_new_keys(tmp_path: Path) -> None:
    write_tiny(tmp_path)
    keys = tmp_path / "keys.toml"
    keys.write_text(FILE)
    service = ServiceProcess(
        tmp_path, "--drain-delay", "0", "--api-keys", str(keys)
    ).wait_until_ready()
    assert service.client.get("/v1/models", X_API_Key=KEY).status == 200

    keys.write_text(FILE.replace(KEY, "rotated-secret-00001"))
    service.process.send_signal(signal.SIGHUP)

    wait_for(lambda: service.client.get("/v1/models", X_API_Key=KEY).status == 401)
    assert service.client.get("/v1/models", X_API_Key="rotated-secret-00001").status == 200
    assert service.stop() == 0, service.text
    assert "Traceback" not in service.text


def test_service_does_not_start_with_keys_that_cannot_be_read(tmp_path: Path) -> None:
    write_tiny(tmp_path)
    (tmp_path / "keys.toml").write_text('[mobile]\nkey = "short-secret"')
    done = subprocess.run(
        [STRIDE, "serve", "--repository", tmp_path, "--api-keys", tmp_path / "keys.toml"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert done.returncode == 2
    assert "[mobile]: key is not 16 to 512 printable ASCII characters" in done.stderr
    assert "Traceback" not in done.stderr
    assert "secret" not in done.stderr
