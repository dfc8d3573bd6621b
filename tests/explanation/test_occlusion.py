import numpy as np
import pytest

from featx.explanation.occlusion import occlusion


def total(images):
    return np.array([image.sum() for image in images])


@pytest.mark.parametrize(("side", "step", "hidden"), [(3, 2, 0), (4, 4, 0.5), (2, 3, 0), (9, 1, 1)])
def test_the_literal_mean(side, step, hidden):
    image = np.random.default_rng(0).random((8, 11, 2))
    falls, count = np.zeros((8, 11)), np.zeros((8, 11))
    for row in sorted({*range(0, 8 - side, step), max(8 - side, 0)}):
        for column in sorted({*range(0, 11 - side, step), 11 - side}):
            copy = image.copy()
            copy[row : row + side, column : column + side] = hidden
            falls[row : row + side, column : column + side] += image.sum() - copy.sum()
            count[row : row + side, column : column + side] += 1
    before = image.copy()
    found = occlusion(total, image, side, step, hidden)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, falls / np.maximum(count, 1), atol=1e-6)
    np.testing.assert_array_equal(image, before)
    assert (count == 0).any() == (step > side)


def test_what_is_hidden_has_one_colour():
    image = np.random.default_rng(0).integers(0, 256, (6, 6, 3), np.uint8)
    seen = []

    def score(images):
        seen.extend(images)
        return np.zeros(len(images))

    found = occlusion(score, image, 3, 3, np.array([1, 2, 3]))
    assert not found.any()
    np.testing.assert_array_equal(seen[0], image)
    assert [picture.dtype for picture in seen] == [np.uint8] * 5
    corners = [
        picture[row, column]
        for picture, row, column in zip(seen[1:], (0, 0, 5, 5), (0, 5, 0, 5), strict=True)
    ]
    np.testing.assert_array_equal(corners, [[1, 2, 3]] * 4)
