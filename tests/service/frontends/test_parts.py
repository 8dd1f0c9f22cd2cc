"""Small parts: shares of bounds, pauses, what crosses as JSON."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from pydantic import TypeAdapter

from service.frontends.census import Census
from service.frontends.child import LONGEST_PAUSE, SETTLED, Backoff
from service.frontends.shares import share_of
from service.frontends.snapshot import (
    State,
    read_state,
    read_statistics,
    write_state,
    write_statistics,
)
from service.seam import ModelInfo
from service.settings import Batching, Limits, ModelSpec, Settings
from service.statistics import BatchStatistics, Statistics
from tests.service.fakes import manifest

INFO = ModelInfo(
    manifest=manifest(), engine="fake cpu fp32", runtime="fake", device="cpu", instances=2,
    threads=1, max_batch=8, queue_capacity=256, seconds_by_batch={1: 1e-6, 8: 0.123456789012345},
    aliases=("tiny", "t"), batching=Batching("slo", None, 0.02),
)  # fmt: skip


def test_page_names_every_metric_of_the_supervisor() -> None:
    page = (Path(__file__).parents[3] / "docs" / "frontends.md").read_text(encoding="utf-8")

    for family in Census(("engine",)).collect():
        assert f"`{family.name}{'_total' * (family.type == 'counter')}`" in page


def test_shares_add_up_to_the_whole() -> None:
    limits = replace(Limits(), connections=1000, requests=10, held_bytes=3 << 30)
    settings = Settings(frontends=3, decode_threads=4, limits=limits)

    own = share_of(settings)

    assert own.limits.connections == 334
    assert own.limits.requests == 4
    assert own.limits.held_bytes == 1 << 30
    assert own.decode_threads == 2
    assert own.limits.queue_capacity == limits.queue_capacity
    assert own.limits.body_bytes == limits.body_bytes


def test_share_holds_some_bodies_however_many_front_ends_there_are() -> None:
    own = share_of(Settings(frontends=64))

    assert own.limits.held_bytes == 4 * Limits().body_bytes
    assert own.decode_threads == 1


def test_what_keeps_ending_is_started_ever_later_until_it_has_worked() -> None:
    backoff = Backoff()

    pauses = [backoff.after(0.0) for _ in range(12)]

    assert pauses[:4] == [0.0, 0.1, 0.2, 0.4]
    assert pauses[-1] == LONGEST_PAUSE
    assert [backoff.after(SETTLED), backoff.after(0.0)] == [0.0, 0.1]


@pytest.mark.parametrize("with_models", [True, False])
def test_state_crosses_whole(with_models: bool) -> None:
    state = State((INFO,), "loading", {INFO.id: "it hangs"}, draining=True)
    before = State(() if with_models else state.models)

    told = orjson.loads(orjson.dumps(write_state(state, with_models=with_models),
                                     option=orjson.OPT_NON_STR_KEYS))  # fmt: skip

    assert read_state(told, before) == state


def test_statistics_cross_whole() -> None:
    statistics = {
        "m": Statistics(
            success=3, failure=Counter(REJECTED=2), images=7, executions=4, last_inference=5,
            batches={4: BatchStatistics(2, 0.1, 0.2, 0.3)}, infer_seconds=0.1 + 0.2,
        )
    }  # fmt: skip

    told = orjson.loads(orjson.dumps(write_statistics(statistics), option=orjson.OPT_NON_STR_KEYS))

    assert read_statistics(told) == statistics


def test_settings_cross_whole() -> None:
    settings = Settings(
        repository=Path("somewhere"), models=(ModelSpec("tiny", "t", batching=INFO.batching),),
        api_keys=Path("keys.toml"), limits=replace(Limits(), timeout=2.5),
    )  # fmt: skip
    adapter = TypeAdapter(Settings)

    told = orjson.loads(orjson.dumps(adapter.dump_python(settings, mode="json")))

    assert adapter.validate_python(told) == settings
