"""Failures, missing parts and time, with steps made for it; then every stage, rehearsed."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.gpu.__main__ import main
from benchmarks.gpu.journal import Entry, Journal
from benchmarks.gpu.plan import STAGES, chosen, missing
from benchmarks.gpu.run import run
from benchmarks.gpu.scale import REHEARSAL
from benchmarks.gpu.step import Context, OutOfTimeError, Step, StepSkippedError
from benchmarks.pages import number
from measuring.errors import InputError
from measuring.record import Measurement, read_measurements

Report = Callable[[Entry], None]


def context(folder: Path) -> Context:
    return Context("cpu", REHEARSAL, Journal(folder), folder / "artifacts")


def step(name: str, *, error: Exception | None = None, **more: object) -> Step:
    def work(_: Context) -> Iterator[list[Measurement]]:
        if error is not None:
            raise error
        yield []

    return Step("engines", name, work, **more)  # type: ignore[arg-type]


def outcomes(steps: list[Step], folder: Path, **more: float) -> list[tuple[str, str, str]]:
    clock = iter(range(1000))
    ended = run(
        steps,
        context(folder),
        budgets={"engines": more.get("budget", 1e6)},
        most=more.get("most", 1e6),
        report=lambda _: None,
        clock=lambda: float(next(clock)),
    )
    return [(entry.step, entry.outcome, entry.message) for entry in ended]


def test_step_that_fails_is_told_and_the_next_goes_on(tmp_path: Path) -> None:
    steps = [
        step("wrong", error=RuntimeError("CUDA error:\nan illegal access")),
        step("absent", error=StepSkippedError("no such command")),
        step("slow", error=OutOfTimeError("1 of 3 batch sizes")),
        step("right"),
    ]
    assert outcomes(steps, tmp_path) == [
        ("wrong", "failed", "RuntimeError: CUDA error: an illegal access"),
        ("absent", "skipped", "no such command"),
        ("slow", "out of time", "1 of 3 batch sizes"),
        ("right", "done", "0 records"),
    ]
    assert "Traceback" in (tmp_path / "suite.log").read_text(encoding="utf-8")
    again = [name for name, _, _ in outcomes(steps, tmp_path)]
    assert again == ["wrong", "absent", "slow"]


def test_no_step_is_begun_when_the_time_is_up(tmp_path: Path) -> None:
    steps = [step(str(number)) for number in range(9)]
    ended = [outcome for _, outcome, _ in outcomes(steps, tmp_path / "stage", budget=12.0)]
    assert ended[0] == "done"
    assert ended[-1] == "out of time"
    ended = [outcome for _, outcome, _ in outcomes(steps, tmp_path / "whole", most=12.0)]
    assert (ended[0], ended[-1]) == ("done", "out of time")


def test_step_whose_module_is_missing_says_which() -> None:
    assert missing(step("x", needs=("json", "no_such_module")), "cpu") == (
        "needs no_such_module, not installed"
    )
    assert missing(step("x", gpu=True), "cpu") == "needs a GPU"
    assert missing(step("x", gpu=True), "cuda") is None


def test_stages_come_in_their_own_order() -> None:
    assert chosen(["profile", "peaks"]) == ["peaks", "profile"]
    assert chosen([]) == list(STAGES)
    order = list(STAGES)
    assert order.index("selftest") < order.index("claims") < order.index("energy")
    with pytest.raises(InputError, match="unknown stage 'peeks', expected one of fingerprint"):
        chosen(["peeks"])


def test_dry_run_lists_every_stage_and_what_is_missing() -> None:
    shown = CliRunner().invoke(main, ["--dry-run"])
    assert shown.exit_code == 0
    for stage in STAGES:
        assert f"{stage} (at most" in shown.output
    assert "compiled (at most" in shown.output


def test_every_stage_can_be_rehearsed_and_resumed(tmp_path: Path) -> None:
    """But for the tests that need a GPU, which are tests themselves, and loads."""
    stages = ",".join(stage for stage in STAGES if stage not in ("selftest", "http"))
    options = ["--device", "cpu", "--repository", str(tmp_path / "artifacts")]
    first = CliRunner().invoke(
        main, [*options, "--stages", stages, "--output", str(tmp_path / "one")]
    )
    assert first.exit_code == 0, first.output
    records = read_measurements(tmp_path / "one" / "gpu.jsonl")
    assert {measured.name for measured in records} >= {
        "gpu-facts", "gpu-peaks", "gpu-engines", "gpu-kernels", "gpu-claims",
        "gpu onnxruntime",
    }  # fmt: skip
    timed = [measured.settings for measured in records if measured.name == "gpu-engines"]
    assert {(s["network"], s["batch"], s["clock"]) for s in timed} == {
        (network, batch, clock)
        for network, batches in (("shufflenet_v2_x0_5", (1, 2)), ("resnet18", (1,)))
        for batch in batches
        for clock in ("device", "end to end")
    }
    assert all(isinstance(settings["floor"], float) for settings in timed)
    assert "### shufflenet_v2_x0_5 fp32, device" in first.output

    resume = ["--resume", str(tmp_path / "one"), "--output", str(tmp_path / "two")]
    second = CliRunner().invoke(main, [*options, "--stages", "peaks,engines", *resume])
    assert second.exit_code == 0, second.output
    assert "none, all were finished before" in second.output
    assert len(read_measurements(tmp_path / "two" / "gpu.jsonl")) == len(records)


@pytest.mark.full
def test_service_under_load_can_be_rehearsed(tmp_path: Path) -> None:
    options = ["--device", "cpu", "--repository", str(tmp_path / "artifacts")]
    done = CliRunner().invoke(
        main, [*options, "--stages", "prepare,http", "--output", str(tmp_path / "one")]
    )
    assert done.exit_code == 0, done.output
    records = read_measurements(tmp_path / "one" / "gpu.jsonl")
    found = [m.settings for m in records if m.name == "gpu-http"]
    asked = {(s["model"], s["body"], s["batch"], s["traffic"]) for s in found}
    closed = {(m, b, n, "closed") for m in ("floor", "network")
              for b, n in (("pixels", 2), ("jpeg", 1), ("jpeg", 2))}  # fmt: skip
    assert asked == closed | {("network", "jpeg", 1, "open")}
    assert all(settings["errors"] == 0 for settings in found)
    assert "### Over HTTP\n" in done.output
    swarmed = [m.settings for m in records if m.name == "gpu-locust"]
    assert [(s["body"], s["batch"], s["errors"]) for s in swarmed] == [
        ("pixels", 2, 0),
        ("jpeg", 1, 0),
    ]
    assert all(number(m, "images_per_second") > 0 for m in records if m.name == "gpu-locust")
    assert "### Over HTTP, by locust" in done.output
