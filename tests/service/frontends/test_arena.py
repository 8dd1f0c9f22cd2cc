import os
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from service.frontends.arena import GRAIN, Arena
from service.frontends.shared_memory import attach, create


def arena(pages: int) -> Arena:
    return Arena(attach(create("test", pages * GRAIN)))


def test_array_is_there_for_another_mapping_of_the_same_memory() -> None:
    descriptor = create("test", 4 * GRAIN)
    own, other = Arena(attach(os.dup(descriptor))), attach(descriptor)
    first = own.array((5,), np.uint8)
    second = own.array((2, 3), np.float32)
    assert first is not None
    assert second is not None

    second[...] = np.arange(6).reshape(2, 3)

    start = own.offset(second)
    assert start == GRAIN
    assert np.ndarray((6,), np.float32, other, start).tolist() == [0, 1, 2, 3, 4, 5]
    assert own.offset(second[1:]) == GRAIN + 12
    assert own.offset(second[:, 1]) is None  # has gaps
    assert own.offset(np.zeros(3)) is None


def test_room_is_free_again_when_the_last_view_of_it_is_gone() -> None:
    place = arena(2)
    array = place.array((GRAIN,), np.uint8)
    assert array is not None
    view = array[None, 3:]
    del array

    assert place.array((GRAIN + 1,), np.uint8) is None
    del view
    assert place.array((2 * GRAIN,), np.uint8) is not None


def test_memory_cannot_be_shrunk_by_who_it_was_handed_to() -> None:
    descriptor = create("test", GRAIN)
    with pytest.raises(PermissionError):
        os.ftruncate(descriptor, 0)
    attach(descriptor)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 5 * GRAIN)), max_size=60))
def test_arrays_never_overlap_and_all_room_comes_back(steps: list[tuple[int, int]]) -> None:
    """In each step the array in this place is let go and another one put there, filled with a value
    of its own."""
    place = arena(16)
    held: dict[int, tuple[NDArray[Any], int]] = {}
    array: NDArray[Any] | None = None
    for number, (index, size) in enumerate(steps):
        array = None
        held.pop(index, None)
        array = place.array((size,), np.uint8)
        if array is not None:
            array[...] = number
            held[index] = (array, number)
        else:
            assert sum(-(-len(a) // GRAIN) for a, _ in held.values()) + -(-size // GRAIN) > 5
    assert all((kept == number).all() for kept, number in held.values())
    array = None
    held.clear()
    assert place.free == place.size
    assert place.array((place.size,), np.uint8) is not None
