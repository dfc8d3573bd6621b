import numpy as np
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.ndimage import map_coordinates

from featx.networks.augmentation import augment


def pictures(n=40, height=7, width=9, channels=2):
    torch.manual_seed(0)
    return torch.rand(n, height, width, channels)


def test_flipped_images_are_mirrored_or_not():
    images = pictures()
    flipped = augment(images, {"flip": True})
    mirrored = [torch.equal(one, image.flip(1)) for one, image in zip(flipped, images, strict=True)]
    same = [torch.equal(one, image) for one, image in zip(flipped, images, strict=True)]
    assert_array_equal(mirrored, ~np.array(same))
    assert 5 < sum(mirrored) < 35


def test_shifted_images_are_parts_of_the_image_with_its_border_continued():
    images = pictures()
    ways = set()
    for shifted, image in zip(augment(images, {"shift": 2}), images, strict=True):
        padded = np.pad(image.numpy(), ((2, 2), (2, 2), (0, 0)), mode="edge")
        found = [
            (y, x)
            for y in range(5)
            for x in range(5)
            if np.array_equal(padded[y : y + 7, x : x + 9], shifted.numpy())
        ]
        assert len(found) == 1
        ways.update(found)
    assert len(ways) > 15


def test_cut_out_squares_are_zero():
    images = pictures() + 1
    for cut, image in zip(augment(images, {"cutout": 3}), images, strict=True):
        hidden = (cut == 0).all(dim=-1).numpy()
        rows, columns = np.flatnonzero(hidden.any(axis=1)), np.flatnonzero(hidden.any(axis=0))
        assert 1 <= len(rows) <= 3
        assert 1 <= len(columns) <= 3
        assert hidden[np.ix_(rows, columns)].all()
        assert torch.equal(cut[~torch.from_numpy(hidden)], image[~torch.from_numpy(hidden)])


def test_turned_images_are_sampled_about_the_centre():
    images = pictures(3, 11, 8, 1)
    torch.manual_seed(5)
    turned = augment(images, {"rotate": 30, "zoom": 0.2})
    torch.manual_seed(5)
    angles = np.radians(30) * (2 * torch.rand(3).numpy() - 1)
    factors = 1 + 0.2 * (2 * torch.rand(3).numpy() - 1)
    y, x = np.mgrid[:11, :8] - np.array([5, 3.5])[:, np.newaxis, np.newaxis]
    for one, image, angle, factor in zip(turned, images, angles, factors, strict=True):
        columns = (np.cos(angle) * x - np.sin(angle) * y) / factor + 3.5
        rows = (np.sin(angle) * x + np.cos(angle) * y) / factor + 5
        expected = map_coordinates(image[..., 0].numpy(), [rows, columns], order=1, mode="nearest")
        assert_allclose(one[..., 0].numpy(), expected, atol=1e-5)
