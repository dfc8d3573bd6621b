import numpy as np
import pytest
from sklearn.model_selection import StratifiedGroupKFold

from featx.evaluation.significance import wilson_interval
from featx.evaluation.splits import cross_validation, different, remarks


def test_equals_scikit_learn_for_each_repetition():
    rng = np.random.default_rng(0)
    labels, groups = rng.choice(["a", "b", "c"], 60), rng.integers(0, 40, 60)
    found = cross_validation(labels, groups, folds=4, repeats=3, random_state=5)
    assert [one.repetition for one in found] == [0] * 4 + [1] * 4 + [2] * 4
    for repetition in range(3):
        divider = StratifiedGroupKFold(4, shuffle=True, random_state=5 + repetition)
        own = [one for one in found if one.repetition == repetition]
        for one, (train, test) in zip(own, divider.split(labels, labels, groups), strict=True):
            assert one.train.tolist() == train.tolist()
            assert one.test.tolist() == test.tolist()
    assert found[0].test.tolist() != found[4].test.tolist()


def test_small_classes_are_split_without_a_warning():
    labels = np.array(["a"] * 10 + ["b"])
    found = cross_validation(labels, np.arange(11), folds=5, repeats=1, random_state=0)
    assert sorted(np.concatenate([one.test for one in found]).tolist()) == list(range(11))


def test_different():
    labels, groups = np.array([*"aaabb"]), np.array([0, 0, 1, 2, 2])
    assert different(labels, groups) == {"a": 2, "b": 1}


@pytest.mark.parametrize("count", [1, 3, 12, 40])
@pytest.mark.parametrize("folds", [5, None])
def test_remarks(count, folds):
    labels = np.array(["big"] * 50 + ["small"] * count)
    said = remarks(labels, np.arange(len(labels)), folds)
    low, high = wilson_interval(0.5, count)
    images = "1 distinct image" if count == 1 else f"{count} distinct images"
    if count == 40:
        assert said == []
    elif folds and count == 1:
        assert said == [
            "Class 'small' has 1 distinct image: no training image is left when it is tested, so "
            "its recall is 0."
        ]
    elif folds and count == 3:
        assert said == [
            "Class 'small' has 3 distinct images, fewer than the 5 folds: it is missing from the "
            "test set of some folds."
        ]
    else:
        assert said == [
            f"Class 'small' has {images}: its recall is uncertain by up to "
            f"{50 * (high - low):.0f} percentage points (95 % interval)."
        ]


def test_many_small_classes():
    labels = np.repeat([f"{i:03}" for i in range(200)], 4)
    said = remarks(labels, np.arange(800), 2)
    assert len(said) == 6
    assert said[-1] == "195 more classes have fewer than 30 distinct images."
