from featx.core.lazy_batch import LazyBatch


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
