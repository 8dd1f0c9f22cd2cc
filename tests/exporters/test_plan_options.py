from pathlib import Path
from typing import Any

import pytest

from exporters.plan_options import (
    BatchProfile,
    HardwareLevel,
    PlanOptions,
    batches_up_to,
    plan_bound_to,
)
from exporters.timing_cache import read_timing_cache, timing_cache_path, write_timing_cache
from measuring.errors import InputError

FACTS = {
    "platform": "Linux x86_64",
    "gpu": "NVIDIA L4",
    "compute_capability": "8.9",
    "driver": "580.65.06",
    "tensorrt": "11.4.0.106",
}


@pytest.mark.parametrize("sizes", [(0, 1, 2), (2, 1, 4), (1, 8, 4), (1, 8, 257)], ids=str)
def test_batch_profile_out_of_order_is_refused(sizes: tuple[int, int, int]) -> None:
    with pytest.raises(InputError, match="expected 1 <= minimum <= optimum <= maximum <= 256"):
        BatchProfile(*sizes)


@pytest.mark.parametrize(("maximum", "optimum"), [(1, 1), (4, 4), (8, 8), (64, 8)])
def test_batches_up_to_a_maximum_are_tuned_for_no_more_than_it(maximum: int, optimum: int) -> None:
    assert batches_up_to(maximum) == BatchProfile(1, optimum, maximum)


def test_plan_options_workspace_too_small_is_refused() -> None:
    with pytest.raises(InputError, match="workspace is 1000 bytes, expected 1048576 or more"):
        PlanOptions(workspace=1000)


@pytest.mark.parametrize(
    ("options", "changed"),
    [
        pytest.param({}, {}, id="as-built"),
        pytest.param(
            {"version_compatible": True},
            {"tensorrt": ">=11.4.0.106,<12", "driver": ">=580.65.06"},
            id="later-versions",
        ),
        pytest.param(
            {"hardware": "same_compute_capability"},
            {"gpu": None, "driver": ">=580.65.06"},
            id="other-gpus-of-the-capability",
        ),
        pytest.param(
            {"hardware": "ampere_plus"},
            {"gpu": None, "compute_capability": ">=8.0", "driver": ">=580.65.06"},
            id="ampere-and-later",
        ),
    ],
)
def test_plan_bound_to_loosens_what_the_options_allow(
    options: dict[str, Any], changed: dict[str, str | None]
) -> None:
    expected = {key: changed.get(key, value) for key, value in FACTS.items()}

    bound = plan_bound_to(FACTS, PlanOptions(**options))

    assert bound == {key: value for key, value in expected.items() if value is not None}


def test_hardware_levels_are_named_as_tensorrt_names_them() -> None:
    from typing import get_args

    from tests.doubles.tensorrt_api import ENUMS

    levels = {level.upper() for level in get_args(HardwareLevel)}
    assert levels == set(ENUMS["HardwareCompatibilityLevel"][11])


def test_timing_cache_is_one_file_for_each_gpu_driver_and_version(tmp_path: Path) -> None:
    names = {timing_cache_path(FACTS, tmp_path).name}
    for key in ("gpu", "compute_capability", "driver", "tensorrt"):
        names.add(timing_cache_path({**FACTS, key: "9.1/../x"}, tmp_path).name)

    assert len(names) == 5
    assert "nvidia_l4-8.9-580.65.06-11.4.0.106.timing" in names
    assert not any("/" in name for name in names)


@pytest.mark.parametrize(
    ("variables", "folder"),
    [
        pytest.param({"STRIDE_CACHE": "/a"}, "/a/tensorrt", id="own"),
        pytest.param({"XDG_CACHE_HOME": "/b"}, "/b/stride/tensorrt", id="xdg"),
        pytest.param({"HOME": "/c"}, "/c/.cache/stride/tensorrt", id="home"),
    ],
)
def test_timing_cache_lies_in_the_users_cache(
    variables: dict[str, str], folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("STRIDE_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert timing_cache_path(FACTS).parent == Path(folder)


def test_timing_cache_comes_back_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "new" / "x.timing"

    assert read_timing_cache(path) == b""
    assert write_timing_cache(path, b"timings")
    assert write_timing_cache(path, b"more timings")

    assert read_timing_cache(path) == b"more timings"
    assert [entry.name for entry in path.parent.iterdir()] == ["x.timing"]


def test_timing_cache_that_cannot_be_kept_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    assert not write_timing_cache(tmp_path / "file" / "x.timing", b"timings")


def test_timing_cache_far_too_large_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exporters.timing_cache._MOST_BYTES", 3)
    (tmp_path / "x.timing").write_bytes(b"1234")

    assert read_timing_cache(tmp_path / "x.timing") == b""
