"""Scenario files: what they say is what is measured, and mistakes are told where they stand."""

from pathlib import Path

import pytest

from loadtest.load import Closed, Load, Open
from loadtest.plan import Measure, Seek, steps
from loadtest.scenario import read_scenario
from loadtest.service import Model
from loadtest.target import Target
from measuring.errors import InputError

EXAMPLE = Path(__file__).parents[2] / "loadtest" / "scenarios" / "gate.toml"
USUAL = Load(Closed(), seconds=5.0, warm_up=1.0)
WHERE = Target("http://127.0.0.1:8000", model="")
SMALL = Model("small-onnx-fp32", size=224, classes=1000, aliases=("small",), runtime="onnxruntime")
LARGE = Model("large-onnx-fp32", size=224, classes=1000, runtime="onnxruntime")
FLOOR = Model("floor-onnx-fp32", size=224, classes=1000, runtime="null")


def written(folder: Path, text: str) -> Path:
    path = folder / "own.toml"
    path.write_text(text)
    return path


def test_example_is_a_gate() -> None:
    scenario = read_scenario(EXAMPLE, USUAL)

    first, second = scenario.points
    assert scenario.title == "gate"
    assert (first.traffics, first.protocol, first.load.warm_up) == ((Open(20.0),), "v1", 2.0)
    assert second.traffics == (Closed(8),)
    assert second.slo is not None
    assert second.slo.throughput == 20.0


def test_commented_parts_of_the_example_are_right_too(tmp_path: Path) -> None:
    text = EXAMPLE.read_text()
    for line in ("[[point]]", "search = ", "slo = ", "[[content]]", "image = ", "model = ",
                 "label = ", "probability = "):  # fmt: skip
        text = text.replace(f"# {line}", line)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_bytes(b"")

    scenario = read_scenario(written(tmp_path, text), USUAL)

    assert scenario.points[2].search is not None
    assert scenario.contents[0].expected == "'tabby cat', probability 0.5 or more"


def test_points_become_steps_with_the_floor_before_them(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        """
        slo = "p90=1s"
        [[point]]
        model = ["small", "large-onnx-fp32"]
        batch_sizes = [1, 8]
        concurrency = 4
        [[point]]
        model = "small"
        search = true
        precision = 0.1
        """,
    )
    models = (SMALL, LARGE, FLOOR)

    plan = steps(read_scenario(path, USUAL).points, models, WHERE)

    told = [
        (step.target.model, step.target.batch, step.slo is not None, type(step)) for step in plan
    ]
    assert told == [
        ("floor-onnx-fp32", 1, False, Measure),
        ("small", 1, True, Measure),
        ("large-onnx-fp32", 1, True, Measure),
        ("floor-onnx-fp32", 8, False, Measure),
        ("small", 8, True, Measure),
        ("large-onnx-fp32", 8, True, Measure),
        ("small", 1, True, Seek),
    ]
    assert isinstance(plan[-1], Seek)
    assert plan[-1].effort.precision == 0.1


def test_points_at_a_rate_last_as_long_as_their_slo_needs(tmp_path: Path) -> None:
    text = 'slo = "p99=1s"\n[[point]]\nrate = [20, 1000]\n'
    slow, fast = steps(read_scenario(written(tmp_path, text), USUAL).points, (SMALL,), WHERE)
    (told,) = steps(
        read_scenario(written(tmp_path, text + "seconds = 3").parent / "own.toml", USUAL).points,
        (SMALL,),
        WHERE,
    )[:1]

    assert slow.load.seconds == pytest.approx(1.2 * 662 / 20)
    assert fast.load.seconds == 5.0
    assert told.load.seconds == 3.0


def test_processes_share_a_rate_and_are_no_more_than_clients(tmp_path: Path) -> None:
    path = written(tmp_path, "processes = 3\n[[point]]\nrate = 5\n[[point]]\nconcurrency = [2, 8]")

    made = steps(read_scenario(path, USUAL).points, (SMALL,), WHERE)

    loads = [step.load for step in made if isinstance(step, Measure)]
    assert [load.processes for load in loads] == [3, 2, 3]


def test_model_that_is_not_loaded_is_told_with_those_that_are() -> None:
    asked = read_scenario(EXAMPLE, USUAL).points[0]
    asked = type(asked)(asked.traffics, asked.load, models=("smal",))

    with pytest.raises(InputError) as caught:
        steps((asked,), (SMALL, LARGE), WHERE)

    assert str(caught.value) == (
        "model 'smal' is not loaded; this service has small-onnx-fp32 (small), large-onnx-fp32"
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("", ": no point, expected one table headed [[point]]", id="empty"),
        pytest.param("[[point]]\nrate = = 1", ": Invalid value (at line 2, column 8)", id="toml"),
        pytest.param(
            'slo = "p99=20"\n[[point]]\nrate = 1',
            "line 1: slo = 'p99=20', expected bounds",
            id="slo",
        ),
        pytest.param(
            "\n[[point]]\nrate = 5\n[[point]]\n\nconcurency = 3",
            "line 6: concurency = 3 in [[point]], expected one of the keys arrivals, ",
            id="misspelt",
        ),
        pytest.param(
            "[[point]]\nrate = 5\n\n[[point]]\nmodel = 'a'",
            "line 4: no concurrency in [[point]], expected one of concurrency, rate and search",
            id="no-load",
        ),
        pytest.param(
            "[[point]]\nrate = 5\nconcurrency = 3",
            "line 2: rate = 5 in [[point]], expected only one of concurrency and rate",
            id="two-loads",
        ),
        pytest.param(
            "[[point]]\nrate = 5\nsearch = true",
            "line 3: search = true in [[point]], expected only one of rate and search",
            id="rate-and-search",
        ),
        pytest.param(
            "[[point]]\nrate = -5", "line 2: rate = -5 in [[point]], expected requests per second",
            id="negative",
        ),
        pytest.param(
            "[[point]]\nrate = 5\nseconds = 0.001",
            "line 3: seconds = 0.001 in [[point]], expected another value: seconds is 0.001 s",
            id="too-short",
        ),
        pytest.param(
            "processes = 99\n[[point]]\nrate = 5",
            "expected another value: processes is 99, expected 1 to 64",
            id="processes",
        ),
        pytest.param(
            "[[point]]\nsearch = true", "line 1: no slo in [[point]], expected bounds", id="search"
        ),
        pytest.param(
            "[[point]]\nsearch = true\nslo='throughput=5'",
            "line 3: slo = 'throughput=5' in [[point]], expected another value: a search needs",
            id="search-of-nothing",
        ),
        pytest.param(
            "[[point]]\nconcurrency = 5\narrivals = 'constant'",
            "line 3: arrivals = 'constant' in [[point]], expected rate beside it",
            id="arrivals",
        ),
        pytest.param(
            "[[point]]\nrate=1\n[[content]]\nimage='own.toml'\nmodel='a'",
            "line 3: no label in [[content]], expected a label, or an index", id="no-label",
        ),
        pytest.param(
            "[[point]]\nrate=1\n[[content]]\nimage='no.jpg'\nmodel='a'\nlabel='b'",
            "line 4: image = 'no.jpg' in [[content]], expected the path of a picture", id="picture",
        ),
        pytest.param("point = 3", "line 1: point = 3, expected tables headed [[point]]", id="kind"),
    ],
)  # fmt: skip
def test_mistakes_are_told_with_their_line(tmp_path: Path, text: str, told: str) -> None:
    path = written(tmp_path, text)

    with pytest.raises(InputError) as caught:
        read_scenario(path, USUAL)

    assert str(caught.value).startswith(f"scenario {path}")
    assert told in str(caught.value)


def test_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no.toml cannot be read: No such file"):
        read_scenario(tmp_path / "no.toml", USUAL)
