import ctypes
from pathlib import Path

import pytest

from exporters.replace import put_in_place, workspace
from measuring.errors import InputError


def build(target: Path, text: str) -> None:
    with workspace(target) as directory:
        (directory / "file").write_text(text)
        put_in_place(directory, target)


def test_put_in_place_makes_repository_and_directory(tmp_path: Path) -> None:
    target = tmp_path / "new" / "repository" / "artifact"
    build(target, "first")
    assert (target / "file").read_text() == "first"
    assert [path.name for path in target.parent.iterdir()] == ["artifact"]


def test_put_in_place_replaces_the_older_whole(tmp_path: Path) -> None:
    target = tmp_path / "artifact"
    build(target, "first")
    (target / "left over").touch()
    build(target, "second")
    assert [path.name for path in target.iterdir()] == ["file"]
    assert (target / "file").read_text() == "second"
    assert [path.name for path in tmp_path.iterdir()] == ["artifact"]


def test_put_in_place_without_exchange_of_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A C library without `renameat2`, as on other systems.
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    build(tmp_path / "artifact", "first")
    build(tmp_path / "artifact", "second")
    assert (tmp_path / "artifact" / "file").read_text() == "second"
    assert [path.name for path in tmp_path.iterdir()] == ["artifact"]


def fail_halfway(target: Path) -> None:
    with workspace(target) as directory:
        (directory / "file").touch()
        raise ZeroDivisionError


def test_workspace_failure_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        fail_halfway(tmp_path / "artifact")
    assert list(tmp_path.iterdir()) == []


def test_workspace_is_readable_as_any_new_directory(tmp_path: Path) -> None:
    (tmp_path / "usual").mkdir()
    build(tmp_path / "artifact", "text")
    usual, made = (tmp_path / name for name in ("usual", "artifact"))
    assert made.stat().st_mode == usual.stat().st_mode


def test_workspace_where_nothing_can_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "repository").write_text("a file")
    with pytest.raises(InputError, match=r"cannot be written .*--repository"):
        build(tmp_path / "repository" / "artifact", "text")
