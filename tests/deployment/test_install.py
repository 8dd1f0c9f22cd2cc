"""The commands of the Dockerfile that install the service, run here; and what comes of them serves
where nothing can be written.

There is no Docker engine here, so the folders of the image are folders of this machine: the same
instructions in the same order, /opt/stride and /source in another place.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deployment.dockerfile import ROOT, Instruction, in_context, lineage, tracked
from tests.service.client import png
from tests.service.process import ServiceProcess
from tests.tiny import write_tiny

# The root file system read-only but for a /tmp as Docker mounts it, then the command in it.
READ_ONLY = """
set -e
mount --rbind / "$0"
mount -o remount,bind,ro "$0"
mount -t tmpfs -o noexec,nosuid,nodev,size=64m tmp "$0/tmp"
case "$1" in
    /tmp/*) mkdir -p "$0$1"; mount --bind "$1" "$0$1"; mount -o remount,bind,ro "$0$1" ;;
esac
shift
exec chroot "$0" "$@"
"""
"""Arguments: the new root, a folder that stays there even below /tmp, the command."""
PACKAGES = sysconfig.get_path("purelib")


@pytest.fixture
def place() -> Iterator[Path]:
    """Outside of /tmp, which is another one where the service runs."""
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="stride-image-") as name:
        yield Path(name)


class Image:
    """Folders that stand for those of an image; `run` executes its instructions."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self.prefix = place / "opt" / "stride"
        self._folder = place
        self._environment = {
            "PATH": f"{Path(sys.base_prefix, 'bin')}:/usr/bin:/bin",
            "HOME": str(place / "home"),
            **{name: os.environ[name] for name in os.environ if name.startswith("PIP_")},
        }
        for folder in ("opt", "home"):
            (place / folder).mkdir()

    def run(self, instruction: Instruction, **more: str) -> None:
        """More environment than the image has, to hold pip back."""
        if instruction.word == "ENV":
            pairs = (word.partition("=") for word in instruction.words())
            self._environment |= {name: self._moved(value) for name, _, value in pairs}
        elif instruction.word == "WORKDIR":
            self._folder = Path(self._moved(instruction.rest))
            self._folder.mkdir(parents=True, exist_ok=True)
        elif instruction.word == "COPY" and "--from=" not in instruction.rest:
            *sources, target = instruction.words()
            for source in sources:
                self._copy(source, target)
        elif instruction.word == "RUN":
            command = ["/bin/sh", "-c", self._moved(instruction.rest)]
            environment = self._environment | more
            done = subprocess.run(
                command, cwd=self._folder, env=environment, capture_output=True, text=True,
                check=False,
            )  # fmt: skip
            assert done.returncode == 0, f"{instruction.rest}\n{done.stdout}\n{done.stderr}"

    def _moved(self, text: str) -> str:
        for folder in ("/opt/stride", "/source"):
            text = text.replace(folder, f"{self._place}{folder}")
        return text

    def _copy(self, source: str, target: str) -> None:
        """A file into a folder, or a folder's content, as the context has it."""
        for name in tracked():
            if not in_context(name) or not (name == source or name.startswith(f"{source}/")):
                continue
            inside = name if name == source else f"{target}/{name.removeprefix(source + '/')}"
            copy = self._folder / inside
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, copy)


def build(place: Path, **more: str) -> Image:
    """All that leads to /opt/stride of the service's image, and its own instructions."""
    image = Image(place)
    for stage in (*lineage("build-serve"), *lineage("serve")):
        for instruction in stage.instructions:
            image.run(instruction, **more)
    return image


def serve(image: Image, place: Path, **environment: str) -> None:
    """Its `stride serve` answers with a model and the page, and has written nothing."""
    artifacts = place / "artifacts"
    write_tiny(artifacts)
    (place / "root").mkdir()
    stride = str(image.prefix / "bin" / "stride")
    program: tuple[str, ...] = (stride,)
    if _can_mount(place / "root"):
        program = _on_read_only(place / "root", stride)
    before = _files(place)
    service = ServiceProcess(
        artifacts, "--drain-delay", "0", program=program,
        STRIDE_PROFILES="/profiles", HOME="/tmp", PYTHONDONTWRITEBYTECODE="1", **environment,  # noqa: S108
    ).wait_until_ready()  # fmt: skip
    try:
        assert service.client.post("/v1/classify", png()).status == 200
        assert service.client.get("/page/samples/cat.jpg").status == 200
        assert b"<title>Stride" in service.client.get("/").data
        assert service.client.get("/metrics").status == 200
    finally:
        assert service.stop() == 0, service.text
    assert _files(place) == before


def _can_mount(root: Path) -> bool:
    """Whether we may have mounts of our own: root outside of a container, and in some."""
    command = _on_read_only(root, "true")
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _on_read_only(root: Path, program: str) -> tuple[str, ...]:
    """The beginning of a command that can write nothing but /tmp."""
    return ("unshare", "--mount", "sh", "-c", READ_ONLY, str(root), PACKAGES, program)


def _files(place: Path) -> dict[str, float]:
    return {str(path): path.stat().st_mtime for path in place.rglob("*") if path.is_file()}


def _where(image: Image, module: str, **environment: str) -> str:
    """The file that the installed Python imports; empty where it has no such module."""
    code = f"import importlib.util as u; it = u.find_spec({module!r}); print(it and it.origin)"
    done = subprocess.run(
        [image.prefix / "bin" / "python", "-P", "-c", code],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.strip().removesuffix("None")


def test_commands_install_a_service_that_writes_nothing(place: Path) -> None:
    """Ourselves as the image has us; what we need is what these tests have, without torch."""
    blocked = place / "blocked" / "torch"
    blocked.mkdir(parents=True)
    (blocked / "__init__.py").write_text("raise ImportError('torch is blocked')")

    image = build(place, PIP_NO_DEPS="1")

    path = f"{blocked.parent}:{PACKAGES}"
    assert _where(image, "service", PYTHONPATH=path).startswith(str(image.prefix))
    serve(image, place, PYTHONPATH=path)


@pytest.mark.full
@pytest.mark.timeout(900)
def test_commands_install_all_that_the_service_needs(place: Path) -> None:
    """As the image is built, with every package from the index: a minute or more."""
    image = build(place)

    assert [_where(image, module) for module in ("torch", "onnx", "locust")] == [""] * 3
    for module in ("service", "onnxruntime", "openvino", "opentelemetry.sdk.trace"):
        assert _where(image, module), module
    code = "import inference.onnxruntime_engine, inference.openvino_engine"
    subprocess.run([image.prefix / "bin" / "python", "-P", "-c", code], check=True)
    serve(image, place)
