import numpy as np
import pytest

from exporters.flips import paired_flips
from measuring.errors import InputError

LABELS = np.array([0, 1, 2, 3, 0, 1, 2, 3], np.int64)


def test_flips_of_equal_answers_are_none() -> None:
    flips = paired_flips(LABELS, LABELS, labels=LABELS)
    assert (flips.images, flips.originals, flips.lost, flips.gained) == (8, 8, 0, 0)
    assert (flips.drop.estimate, flips.drop.high, flips.agreement.low) == (0.0, 0.0, 1.0)
    assert flips.judge(0.0) == "within"


def test_flips_count_lost_and_gained_apart() -> None:
    before = np.array([0, 1, 2, 0, 0, 1, 2, 3])  # the fourth is wrong
    after = np.array([1, 1, 2, 3, 0, 1, 2, 3])  # the first is
    flips = paired_flips(before, after, labels=LABELS)
    assert (flips.lost, flips.gained) == (1, 1)
    assert flips.drop.estimate == 0.0
    assert flips.agreement.estimate == 0.75


def test_flips_from_wrong_to_wrong_only_disagree() -> None:
    before, after = LABELS.copy(), LABELS.copy()
    before[0], after[0] = 1, 2
    flips = paired_flips(before, after, labels=LABELS)
    assert (flips.lost, flips.gained, flips.agreement.estimate) == (0, 0, 0.875)


def test_flips_of_many_versions_of_one_picture_are_one_picture() -> None:
    """Fifty versions of each of twenty pictures; the versions of one of them are all lost."""
    labels = np.zeros(1000, np.int64)
    originals = np.repeat(np.arange(20), 50)
    after = (originals == 7).astype(np.int64)
    by_original = paired_flips(labels, after, labels=labels, originals=originals)
    one_by_one = paired_flips(labels, after, labels=labels)
    assert by_original.drop.estimate == one_by_one.drop.estimate == 0.05
    assert (by_original.originals, one_by_one.originals) == (20, 1000)
    assert by_original.drop.high > 0.12 > one_by_one.drop.high
    assert by_original.drop.low == 0.0


@pytest.mark.parametrize(("lost", "verdict"), [(0, "within"), (30, "undecided"), (400, "beyond")])
def test_flips_judge_says_what_the_pictures_can_tell(lost: int, verdict: str) -> None:
    labels = np.zeros(5000, np.int64)
    after = (np.arange(5000) < lost).astype(np.int64)
    assert paired_flips(labels, after, labels=labels).judge(0.006) == verdict


def test_flips_of_unequal_lengths_are_refused() -> None:
    with pytest.raises(InputError, match="8 answers before, 7 after, 8 labels and 8 originals"):
        paired_flips(LABELS, LABELS[:7], labels=LABELS)
