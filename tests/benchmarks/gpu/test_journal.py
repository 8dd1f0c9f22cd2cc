from pathlib import Path

import pytest

from benchmarks.gpu.journal import Journal
from measuring.errors import InputError
from measuring.latencies import latencies
from measuring.machine import fingerprint
from measuring.record import Measurement, Scalar


def measured(name: str = "gpu-engines", **settings: Scalar) -> Measurement:
    return Measurement(name, settings, latencies([0.5]), fingerprint(), "2026-11-24T12:00:00")


def test_journal_goes_on_where_an_earlier_one_stopped(tmp_path: Path) -> None:
    first = Journal(tmp_path / "one")
    first.add([measured(network="net", batch=1)])
    first.end("engines", "net fp16", "done", 1.5, "1 records")
    first.end("engines", "net fp32", "out of time", 0.0, "not begun")

    second = Journal(tmp_path / "two", resume=tmp_path / "one")
    assert second.finished("engines", "net fp16")
    assert not second.finished("engines", "net fp32")
    assert second.has("gpu-engines", batch=1)
    assert not second.has("gpu-engines", batch=2)
    second.end("engines", "net fp32", "done", 2.0, "3 records")

    again = Journal(tmp_path / "two")
    assert again.finished("engines", "net fp32")
    assert [entry.step for entry in again.entries] == ["net fp16", "net fp32", "net fp32"]


def test_journal_finds_the_latest_record(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.add([measured(kind="copy", rate=1.0)])
    journal.add([measured(kind="copy", rate=2.0), measured("other", kind="copy", rate=3.0)])
    found = journal.find("gpu-engines", kind="copy")
    assert found is not None
    assert found.settings["rate"] == 2.0


def test_step_that_failed_after_it_was_done_is_not_finished(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.end("peaks", "copy", "done", 0.1, "")
    journal.end("peaks", "copy", "failed", 0.1, "RuntimeError")
    assert not journal.finished("peaks", "copy")


def test_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "steps.jsonl").write_text('{"name": "x"}\n', encoding="utf-8")
    with pytest.raises(InputError, match=r"steps\.jsonl is no journal of this suite"):
        Journal(tmp_path)
