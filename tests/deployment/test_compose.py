"""docker-compose.yml: that docker-compose takes it, and what it says."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from commands.serve import command as serve
from tests.deployment.dockerfile import ROOT, stages, tracked

COMPOSE = shutil.which("docker-compose")
FILE = ROOT / "docker-compose.yml"
READ: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = READ["services"]
PROFILES = {
    "": {"stride", "prometheus", "grafana"},
    "loadtest": {"stride", "prometheus", "grafana", "locust"},
    "gpu": {"stride", "prometheus", "grafana", "stride-gpu"},
    "export": {"stride", "prometheus", "grafana", "export"},
}
# Set by the file or the image, or of no use in a container.
SET_HERE = {"STRIDE_HOST", "STRIDE_PORT", "STRIDE_REPOSITORY", "STRIDE_PROFILES", "STRIDE_CONFIG"}

needs_compose = pytest.mark.skipif(
    COMPOSE is None, reason="docker-compose is not here, see scripts/install-test-tools"
)


def compose(profile: str, *arguments: str) -> str:
    chosen = ("--profile", profile) if profile else ()
    command = [str(COMPOSE), "-f", str(FILE), *chosen, "config", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


@needs_compose
@pytest.mark.parametrize("profile", PROFILES)
def test_file_is_valid(profile: str) -> None:
    listed = set(compose(profile, "--services").split())
    assert PROFILES[profile] <= listed
    for name, service in SERVICES.items():
        of_profile = set(service.get("profiles", ()))
        shown = not of_profile or profile in of_profile
        assert (name in PROFILES[profile]) == shown, name


def test_everything_mounted_or_built_is_there() -> None:
    committed = tracked()
    for name, service in SERVICES.items():
        for volume in service.get("volumes", ()):
            source = volume.partition(":")[0]
            if not source.startswith("./"):
                assert source in READ["volumes"], (name, source)
                continue
            place = source.removeprefix("./")
            if place not in {"artifacts", "profiles"}:  # the user's own
                assert any(file.startswith(f"{place}/") for file in committed), (name, place)
        if "build" in service:
            assert service["build"]["target"] in stages()


def test_what_the_services_name_is_what_is_mounted() -> None:
    """Paths in commands, environment and provisioning against the mounts that hold them."""
    prometheus, grafana = SERVICES["prometheus"], SERVICES["grafana"]
    assert "--config.file=/etc/prometheus/prometheus.yml" in prometheus["command"]
    assert (ROOT / "monitoring" / "prometheus" / "prometheus.yml").is_file()
    home = grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    folder = next(v for v in grafana["volumes"] if v.split(":")[1] == "/etc/grafana/dashboards")
    dashboard = ROOT / folder.split(":")[0] / Path(home).name
    assert json.loads(dashboard.read_text(encoding="utf-8"))["uid"] == "stride-overview"
    provisioning = ROOT / "monitoring" / "grafana" / "provisioning" / "dashboards"
    provider = yaml.safe_load((provisioning / "stride.yml").read_text(encoding="utf-8"))
    assert provider["providers"][0]["options"]["path"] == "/etc/grafana/dashboards"
    scraped = (ROOT / "monitoring" / "prometheus" / "prometheus.yml").read_text(encoding="utf-8")
    assert {"stride:8000"} <= set(re.findall(r"stride[\w-]*:\d+", scraped))
    assert "stride-gpu" in scraped


def test_services_are_hardened() -> None:
    for name, service in SERVICES.items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["mem_limit"], name
        assert service["pids_limit"], name
        assert any(place.startswith(("/tmp", "/var/tmp")) for place in service["tmpfs"]), name  # noqa: S108
        assert not service.get("privileged"), name
        assert "docker.sock" not in str(service), name
        for port in service.get("ports", ()):
            assert str(port).startswith("127.0.0.1:"), (name, port)


def test_artifacts_are_read_only_to_those_that_serve() -> None:
    for name in ("stride", "stride-gpu"):
        mounts = {volume.split(":", 1)[1] for volume in SERVICES[name]["volumes"]}
        assert mounts == {"/artifacts:ro"}
    assert SERVICES["stride-gpu"]["runtime"] == "nvidia"
    assert SERVICES["stride-gpu"]["profiles"] == ["gpu"]
    assert SERVICES["locust"]["profiles"] == ["loadtest"]


def test_images_are_pinned_and_checked() -> None:
    for name, service in SERVICES.items():
        assert re.search(r":v?\d+\.\d+\.\d+$", service["image"]), name
        if "build" not in service:
            assert "healthcheck" in service, name
    assert SERVICES["grafana"]["environment"]["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"
    assert SERVICES["grafana"]["environment"]["GF_SECURITY_ADMIN_PASSWORD"] == (
        "${GRAFANA_ADMIN_PASSWORD:-}"
    )


def test_every_setting_of_the_service_can_be_made() -> None:
    flags = {parameter.opts[0] for parameter in serve.params}
    settings = {f"STRIDE_{flag.removeprefix('--').replace('-', '_').upper()}" for flag in flags}
    passed_on = READ["x-service"]["environment"]
    assert set(passed_on) == settings - SET_HERE
    assert set(passed_on.values()) == {None}
