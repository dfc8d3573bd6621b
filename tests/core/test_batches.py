import numpy as np
import pytest

from featx.core.batches import Joined, LazyBatch, join


def squares(count):
    taken = []

    def compute(positions):
        for position in positions:
            taken.append(position)
            yield position**2

    return LazyBatch(count, compute), taken


def test_items_are_computed_when_they_are_taken():
    batch, taken = squares(5)
    assert len(batch) == 5
    assert taken == []
    assert batch[3] == 9
    assert batch[-1] == 16
    assert taken == [3, 4]
    first = next(iter(batch))
    assert (first, taken) == (0, [3, 4, 0])


def test_it_can_be_gone_through_again():
    batch, _ = squares(4)
    assert [*batch] == [*batch] == [0, 1, 4, 9]


def test_parts_are_batches_of_the_same_items():
    batch, taken = squares(10)
    part = batch.take([7, 2, 2])
    assert len(part) == 3
    assert taken == []
    assert [*part] == [49, 4, 4]
    assert part[-1] == 4
    assert [*part.take([2, 0])] == [4, 49]
    assert [*batch[2:8:3]] == [4, 25]
    assert [*batch[5:5]] == []


def joined(batches, total):
    whole = Joined(total)
    for batch in batches:
        whole.add(batch)
    return whole.result()


def rows(count, length=3, dtype=np.float32):
    return np.random.default_rng(count).random((count, length)).astype(dtype)


def test_one_shape_becomes_one_array():
    batches = [rows(2), [], rows(3), rows(1)]
    expected = np.concatenate([batch for batch in batches if len(batch)])
    for found in (join(batches), joined(batches, 6), joined(batches, 9)):
        assert isinstance(found, np.ndarray)
        np.testing.assert_array_equal(found, expected)


def test_one_batch_alone():
    batch = rows(2)
    assert join([batch, []]) is batch
    np.testing.assert_array_equal(joined([batch], 2), batch)


def test_different_shapes_become_a_list():
    batches = [np.zeros((2, 3, 3, 1)), [], np.ones((1, 4, 4, 1)), np.ones((1, 3, 3, 1))]
    for found in (join(batches), joined(batches, 4)):
        assert [part.shape for part in found] == [(3, 3, 1), (3, 3, 1), (4, 4, 1), (3, 3, 1)]
    assert [part.shape for part in join([[np.zeros((2, 2, 1))], batches[0]])] == [
        (2, 2, 1),
        (3, 3, 1),
        (3, 3, 1),
    ]


def test_different_types_become_a_list():
    batches = [np.zeros((1, 2, 2, 1), np.uint8), np.zeros((1, 2, 2, 1), np.uint16)]
    assert [part.dtype for part in joined(batches, 2)] == [np.uint8, np.uint16]


def test_nothing():
    assert join([]) == join([[], []]) == joined([], 0) == joined([[]], 3) == []


def test_vectors_of_different_lengths():
    said = (
        "The vectors have different lengths (3 to 5), since the images differ in size. Resize all "
        "images to one size, for example with ReadImages(size=(256, 256))."
    )
    for put in (join, lambda batches: joined(batches, 2)):
        with pytest.raises(ValueError) as caught:
            put([rows(1, 5), rows(1, 3)])
        assert str(caught.value) == said
