import pytest

from exporters.rewrites.shuffle_plan import Arrangement, plan_stage


def test_plan_follows_the_shuffles_of_a_small_stage() -> None:
    # Four channels: the first unit makes a0 a1 and b0 b1, shuffled a0 b0 a1 b1. The branch of the
    # second unit reads a1 b1 and makes c0 c1; a0 c0 b0 c1 leave the stage.
    plan = plan_stage(2, 1, Arrangement())
    assert [[segment.channels for segment in segments] for segments in plan.maps] == [
        [(1,), (0,)],
        [(1,), (0,)],
        [(0, 1)],
    ]
    first, last = plan.reads
    assert [(segment.source, segment.channels) for segment in first.segments] == [
        (0, (1,)),
        (1, (1,)),
    ]
    assert first.layout == (0, 1)
    assert last.layout == (0, 2, 1, 3)


@pytest.mark.parametrize(("half", "units"), [(58, 3), (116, 7), (24, 3), (122, 7)])
def test_plan_reads_every_channel_once_and_copies_none(half: int, units: int) -> None:
    plan = plan_stage(half, units, Arrangement())
    assert [len(read.layout) for read in plan.reads] == [half] * units + [2 * half]
    read = [segment for entry in plan.reads for segment in entry.segments]
    made = [segment for segments in plan.maps for segment in segments]
    assert sorted(map(repr, read)) == sorted(map(repr, made))
    for entry in plan.reads:
        channels = [channel for channel in entry.layout if channel is not None]
        assert sorted(channels) == list(range(len(entry.layout)))


def test_plan_of_an_aligned_arrangement_has_whole_blocks() -> None:
    plan = plan_stage(58, 3, Arrangement(block=16, least=12, split=False))
    widths = [len(segment.channels) for segments in plan.maps for segment in segments]
    assert all(width % 16 == 0 for width in widths)
    wanted = [[c for c in read.layout if c is not None] for read in plan.reads]
    assert [sorted(channels) for channels in wanted] == [list(range(58))] * 3 + [list(range(116))]
