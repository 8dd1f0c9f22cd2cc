"""docs/protocol.md: its program runs, and it names what the service has."""

import subprocess
import sys
from pathlib import Path

import pytest

from service.v2.descriptions import EXTENSIONS
from tests.service.client import png
from tests.service.process import ServiceProcess
from tests.tiny import write_tiny

PAGE = (Path(__file__).parents[3] / "docs" / "protocol.md").read_text(encoding="utf-8")


def test_the_program_of_the_page_runs(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PAGE.partition("```python\n")[2].partition("```")[0])
    pictures = [tmp_path / "a.png", tmp_path / "b.png"]
    for seed, picture in enumerate(pictures):
        picture.write_bytes(png(seed))
    write_tiny(tmp_path)
    service = ServiceProcess(
        tmp_path, "--drain-delay", "0", "--model", "cats=tiny:max_batch=1,instances=1,threads=1"
    ).wait_until_ready()

    address = service.url.removeprefix("http://")
    done = subprocess.run(
        [sys.executable, "-W", "error", str(program), address, *map(str, pictures)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert service.stop() == 0, service.text
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("(4, 32) ")
    assert ":class " in done.stdout


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_the_page_names_every_extension(extension: str) -> None:
    assert extension in PAGE.partition("Extensions: ")[2].partition("\n\n")[0].replace("\n", " ")
