"""The operators' measurement at a tiny size, and the cases against the papers' counts."""

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort  # type: ignore[import-untyped]
import pytest
import torch
from torch import nn

from benchmarks import operators
from benchmarks.contrasts import contrast, seconds_of, time_ratio
from benchmarks.operator_cases import (
    LAYERS,
    MAPS,
    Case,
    guideline_cases,
    operator_cases,
    stacked,
)
from benchmarks.operator_tables import TABLES, columns, document, rows
from benchmarks.operators import AGAINST, Run, measure_operators, operator_graph, pieces
from benchmarks.pieces import measured_piece
from measuring.machine import fingerprint
from measuring.record import Measurement, read_measurements
from measuring.timing import Schedule
from models import cost
from models.operators import OPERATORS, conv
from tests.benchmarks.hand_made import MACHINE, STARTED

TINY = Schedule(runs=2, seconds=0.0, warmup=0, blocks=2, settle=0)


def macs(case: Case, layers: int = LAYERS) -> int:
    channels = case.times * case.channels
    return cost(stacked(case.build, layers), case.side, channels=channels).macs


@pytest.mark.parametrize(
    ("name", "millions"),
    [
        pytest.param("conv", (2601, 2601, 2601, 2601), id="regular"),
        pytest.param("group", (162, 162, 162, 162), id="16-groups"),
        pytest.param("depthwise", (27.09, 13.54, 6.77, 3.38), id="depthwise"),
        pytest.param("partial", (162, 162, 162, 162), id="partial"),
        pytest.param("partial_pointwise", (451, 451, 451, 451), id="partial-pointwise"),
        pytest.param("t_shaped", (867, 867, 867, 867), id="t-shaped"),
    ],
)
def test_cases_have_the_arithmetic_of_fasternet_table_1(
    name: str, millions: tuple[float, ...]
) -> None:
    cases = [case for case in operator_cases() if (case.table, case.name) == ("operator", name)]

    assert [(case.channels, case.side) for case in cases] == list(MAPS)
    assert [macs(case) / 1e6 for case in cases] == pytest.approx(millions, rel=4e-3)


@pytest.mark.parametrize("table", ["G1", "G2", "G3"])
def test_rows_of_a_guideline_have_the_same_arithmetic(table: str) -> None:
    counts = [macs(case) for case in guideline_cases() if case.table == table]

    assert max(counts) <= 1.06 * min(counts), "the paper's widths are whole numbers"


def test_g4_takes_only_element_wise_operations_away() -> None:
    with_all, *others = [case for case in guideline_cases() if case.table == "G4"]
    kinds = [
        [layer.kind for layer in cost(case.build(), 8, channels=128).layers]
        for case in (with_all, *others)
    ]

    assert len({macs(case) for case in (with_all, *others)}) == 1
    assert [found.count("activation") for found in kinds] == [3, 3, 0, 0]
    assert [found.count("add") for found in kinds] == [1, 0, 1, 0]


def test_layers_of_a_stack_have_weights_of_their_own() -> None:
    for case in (*operator_cases(MAPS[:1]), *guideline_cases()):
        network = stacked(case.build, 2)
        parameters = [id(p) for p in network.parameters()]
        assert len(parameters) == 2 * len(list(case.build().parameters()))


def test_every_operator_of_the_catalogue_is_timed() -> None:
    names = {case.name for case in operator_cases(MAPS[:1])}

    assert set(OPERATORS) - names == {"squeeze_excitation"}
    assert {"depthwise_x4", "depthwise_x6", "partial_block", "inverted_x6"} <= names


def test_places_hold_what_others_are_compared_with() -> None:
    for place, cases in Run(MACHINE).cases().items():
        bases = AGAINST[cases[0].table]
        assert set(bases) <= {case.name for case in cases}, place


@pytest.mark.parametrize("name", ["partial_pointwise", "t_shaped", "channelwise", "group_shuffle"])
def test_graph_answers_as_the_network(name: str) -> None:
    network = stacked(lambda: OPERATORS[name](32, 32), 2).eval()
    given = torch.randn(1, 32, 6, 6)

    session = ort.InferenceSession(operator_graph(network, given))

    (answer,) = session.run(None, {"x": given.numpy()})
    np.testing.assert_allclose(answer, network(given).detach(), rtol=1e-4, atol=1e-5)


def tiny_cases(maps: object = None) -> list[Case]:
    names = ("conv", "depthwise", "partial")
    return [
        Case("operator", name, 16, 4, lambda name=name: OPERATORS[name](16, 16), {"cpu_ms": 35.67})  # type: ignore[misc]
        for name in names
    ]


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operators, "operator_cases", tiny_cases)
    monkeypatch.setattr(operators, "guideline_cases", list)
    monkeypatch.setattr(operators, "QUICK", TINY)


@pytest.mark.usefixtures("tiny")
def test_measured_operators_become_a_table(tmp_path: Path) -> None:
    run, path = Run(fingerprint(), quick=True), tmp_path / "operators.jsonl"

    found = [record for _, records in measure_operators(run, path) for record in records]

    runtimes = 3 if find_spec("openvino") else 2
    assert len(found) == 3 * runtimes == 3 * pieces(run)
    lines = rows(found, "operator")
    assert len(lines) == len(found)
    assert all(len(line) == len(columns("operator")) for line in lines)
    assert lines[0][:5] == ["16 x 4²", "conv", "torch", "0", "0.1"]
    assert lines[0][8:] == ["1", "", "35.67", ""]
    assert document(found)[0]["macs"] == 10 * 16 * 9 * 16 * 16
    assert {row[1] for row in lines} == {"conv", "depthwise", "partial"}


@pytest.mark.usefixtures("tiny")
def test_interrupted_run_goes_on_where_it_was(tmp_path: Path) -> None:
    run, path = Run(fingerprint(), quick=True), tmp_path / "operators.jsonl"
    name, first = next(measure_operators(run, path))

    again = dict(measure_operators(run, path))

    assert [m.started for m in again[name]] == [m.started for m in first]
    assert np.array_equal(samples(again[name][0]), samples(first[0]))
    fresh = dict(measure_operators(run, path, fresh=True))
    assert not np.array_equal(samples(fresh[name][0]), samples(first[0]))
    assert len(read_measurements(path)) == sum(map(len, again.values()))


def samples(measured: Measurement) -> Any:
    return measured.latencies.samples


def test_piece_of_other_versions_is_measured_again(tmp_path: Path) -> None:
    path, asked = tmp_path / "kept.jsonl", list[str]()

    def measure(version: str) -> list[Measurement]:
        asked.append(version)
        machine = replace(MACHINE, libraries={"torch": version})
        return contrast("x", {"a": lambda: 1}, {"a": {}}, (), machine, TINY)

    for version in ("2.13", "2.13", "2.14"):
        machine = replace(MACHINE, libraries={"torch": version})
        measured_piece(path, "p", lambda version=version: measure(version), machine)  # type: ignore[misc]

    assert asked == ["2.13", "2.14"]
    assert len(read_measurements(path)) == 1


def test_contrast_tells_times_as_multiples() -> None:
    calls = {"short": lambda: sum(range(100)), "long": lambda: sum(range(100_000))}

    short, long = contrast(
        "sums", calls, {"short": {"n": 1}, "long": {"n": 2}}, ("short",), MACHINE,
        Schedule(runs=20, seconds=0.0, warmup=2, blocks=5),
    )  # fmt: skip

    ratio = time_ratio(long, "short")
    assert ratio is not None
    assert 0.0 < ratio.low <= ratio.estimate <= ratio.high
    assert time_ratio(short, "short") is None
    assert seconds_of(long).low <= seconds_of(long).estimate <= seconds_of(long).high
    assert (short.settings["n"], short.started >= STARTED) == (1, True)


def test_every_table_has_headings_for_its_rows() -> None:
    assert set(TABLES) == set(AGAINST)
    assert columns("operator")[-1] == ">Cortex-A72 ms"
    assert columns("G1")[-1] == ">1080 Ti batches/s"
    assert columns("block")[-1] == ">times partial_block"


def test_stack_is_as_deep_as_it_says() -> None:
    network = stacked(lambda: conv(4, 4), 3)

    assert isinstance(network, nn.Sequential)
    assert len(network) == 3
