import numpy as np

from featx.core.batches import LazyBatch
from featx.core.descriptor_sets import DescriptorSet
from featx.encoders.sampling import draw_descriptors


def images_of(counts):
    """Make sets of which each value names its image and row, and the list of those taken."""
    taken = []

    def compute(positions):
        for index in positions:
            taken.append(index)
            rows = np.arange(counts[index])
            values = np.stack([np.full(counts[index], index), rows], axis=1)
            yield DescriptorSet(values.astype(np.float32), values.astype(np.float32), size=(1, 1))

    return LazyBatch(len(counts), compute), taken


def test_few_images_of_many_are_taken_and_give_250_each():
    images, taken = images_of([400] * 1000)
    drawn = draw_descriptors(images, 1000, 0)
    assert [len(found) for found in drawn] == [250] * 4
    assert len(set(taken)) == len(taken) == 4
    for found in drawn:
        assert len(np.unique(found.values[:, 1])) == 250
        np.testing.assert_array_equal(found.positions, found.values)


def test_few_images_give_all_that_is_wanted():
    images, _ = images_of([4000] * 3)
    assert [len(found) for found in draw_descriptors(images, 10_000, 0)] == [3334, 3334, 3332]


def test_more_images_are_taken_where_some_give_few():
    counts = [0, 3, 50, 400] * 100
    images, taken = images_of(counts)
    drawn = draw_descriptors(images, 5000, 0)
    assert sum(map(len, drawn)) == 5000
    assert len(set(taken)) == len(taken) < 120
    assert all(len(found) == min(250, counts[int(found.values[0, 0])]) for found in drawn[:-1])


def test_all_is_given_where_there_is_less_than_is_wanted():
    images, _ = images_of([5, 0, 7])
    drawn = draw_descriptors(images, 100, 0)
    assert sorted(map(len, drawn)) == [5, 7]
    images, _ = images_of([0, 0])
    assert draw_descriptors(images, 100, 0) == []


def test_the_sample_depends_on_the_seed():
    images, _ = images_of([400] * 1000)
    one, two, other = (draw_descriptors(images, 1000, seed) for seed in (1, 1, 2))
    for first, second in zip(one, two, strict=True):
        np.testing.assert_array_equal(first.values, second.values)
    assert any((a.values != b.values).any() for a, b in zip(one, other, strict=True))


def test_all_descriptors_are_as_likely():
    counts = np.zeros(20)
    images, _ = images_of([20])
    for seed in range(2000):
        (found,) = draw_descriptors(images, 5, seed)
        counts[found.values[:, 1].astype(int)] += 1
    np.testing.assert_allclose(counts, 500, atol=100)
