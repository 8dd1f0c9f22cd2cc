"""Seconds in bounded memory: exact while they are few, merged without loss, never too low."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from measuring.latencies import latencies
from measuring.recorder import Recorder

SECONDS = st.lists(st.floats(0.0, 1e5), min_size=1, max_size=60)


def recorded(samples: list[float], most: int) -> Recorder:
    recorder = Recorder(most)
    for seconds in samples:
        recorder.add(seconds)
    return recorder


def test_few_samples_are_kept_themselves() -> None:
    found = recorded([0.3, 0.1, 0.2], most=3).latencies()
    assert found is not None
    assert found.samples is not None
    assert found.samples.tolist() == [0.3, 0.1, 0.2]
    assert Recorder().latencies() is None


@given(SECONDS, st.integers(1, 20))
def test_many_samples_are_counted_as_a_histogram_of_all(samples: list[float], most: int) -> None:
    found, exact = recorded(samples, most).latencies(), latencies(samples)
    assert found is not None
    assert found.raw is (len(samples) <= most)
    assert found.histogram == exact.histogram
    for name in ("mean", "min", "max"):
        assert found.summary[name] == pytest.approx(exact.summary[name])
    for rank in (50.0, 99.0):
        right = exact.percentile(rank)
        assert right <= found.percentile(rank) <= 1.021 * right + 1e-9


@given(st.lists(SECONDS, min_size=2, max_size=4), st.integers(1, 40))
def test_merged_is_as_if_one_had_recorded_all(parts: list[list[float]], most: int) -> None:
    whole = recorded([seconds for part in parts for seconds in part], most)
    first, *others = (copy.deepcopy(recorded(part, most)) for part in parts)
    for other in others:
        first.merge(other)
    merged, expected = first.latencies(), whole.latencies()
    assert merged is not None
    assert expected is not None
    assert first.count == whole.count == sum(map(len, parts))
    assert merged.histogram == expected.histogram
    assert merged.raw is expected.raw
    if expected.samples is not None and merged.samples is not None:
        assert sorted(merged.samples) == sorted(expected.samples)


def test_memory_is_bounded() -> None:
    recorder = Recorder(1000)
    for seconds in np.random.default_rng(0).exponential(0.01, 20_000).tolist():
        recorder.add(seconds)
    assert recorder.count == 20_000
    assert len(pickle.dumps(recorder)) < 40_000
