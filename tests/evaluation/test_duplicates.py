import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter
from sklearn.pipeline import FeatureUnion

from featx import ReadAudio, ReadImages, Stream, load_dataset, make_scenes
from featx.evaluation.duplicates import (
    MIRRORED,
    SAME_BYTES,
    SAME_PICTURE,
    Copy,
    are_pictures,
    content_hashes,
    find_copies,
    grouped,
    similar_pictures,
    thumbnails,
)


def cloud(seed, size=(96, 120)):
    """Return a smooth picture with details, similar to a photograph."""
    noise = np.random.default_rng(seed).normal(size=(*size, 3))
    picture = gaussian_filter(noise, (10, 10, 0)) * 20 + gaussian_filter(noise, (2, 2, 0)) * 4
    return np.clip(128 + 40 * picture, 0, 255).astype(np.uint8)


def small(images):
    return Stream([thumbnails()]).transform(images)


def encoded(image, tmp_path, name, **options):
    path = str(tmp_path / name)
    image.save(path, **options)
    return path


CHANGES = {
    "quality 30": lambda image: (image, 30),
    "quality 10": lambda image: (image, 10),
    "half as large": lambda image: (image.resize((image.width // 2, image.height // 2)), 85),
    "stretched": lambda image: (image.resize((400, 300)), 80),
    "gray": lambda image: (image.convert("L"), 75),
    "mirrored": lambda image: (image.transpose(Image.Transpose.FLIP_LEFT_RIGHT), 75),
}


def changed(image, change, path):
    image, quality = CHANGES[change](image)
    image.save(path, "JPEG", quality=quality)
    return str(path)


@pytest.mark.parametrize("change", CHANGES)
def test_near_duplicates_of_synthetic_pictures(tmp_path, change):
    images = [Image.fromarray(cloud(seed)) for seed in range(12)]
    paths = [encoded(image, tmp_path, f"{i}.png") for i, image in enumerate(images)]
    paths += [changed(image, change, tmp_path / f"{i}.jpg") for i, image in enumerate(images)]
    kind = MIRRORED if change == "mirrored" else SAME_PICTURE
    assert find_copies(paths, content_hashes(paths), small(paths)) == [
        Copy(i, i + 12, kind) for i in range(12)
    ]


def test_pixels_of_any_kind():
    image = cloud(0, (64, 64))
    kinds = [image, image.astype(np.uint16) * 257, (image / 255).astype(np.float32), cloud(1)]
    found = find_copies(kinds, content_hashes(kinds), [small([one])[0] for one in kinds])
    assert [copy[:2] for copy in found] == [(0, 1), (0, 2), (1, 2)]


def test_similar_scenes_are_not_duplicates():
    scenes, _ = make_scenes(n=60, random_state=0)
    assert similar_pictures(small(scenes)) == []


def test_constant_pictures_are_not_duplicates():
    flat = np.full((5, 64, 64, 1), 90, np.uint8)
    flat[1] += 1
    flat[2, 3, 3] = 120
    assert similar_pictures(flat) == []
    assert similar_pictures(flat[:0]) == []
    assert [copy[:2] for copy in find_copies(flat, content_hashes(flat), flat)] == [(0, 3), (0, 4)]


def test_equal_bytes(tmp_path):
    one, other = cloud(0), cloud(1)
    paths = [encoded(Image.fromarray(one), tmp_path, f"{i}.png") for i in range(3)]
    paths.insert(1, encoded(Image.fromarray(other), tmp_path, "other.png"))
    hashes = content_hashes(paths)
    expected = [Copy(0, 2, SAME_BYTES), Copy(0, 3, SAME_BYTES)]
    assert find_copies(paths, hashes) == expected
    assert find_copies(paths, hashes, small(paths)) == expected
    arrays = [one, other, one.copy(), one[:, ::2], other.astype(np.uint16)]
    assert find_copies(arrays, content_hashes(arrays)) == [Copy(0, 2, SAME_BYTES)]


def test_tiny_pictures_are_compared_by_their_bytes():
    digits = [cloud(seed, (28, 40)) for seed in (0, 0, 1)]
    digits[1] = digits[1] // 2 + 64
    assert len(similar_pictures(small(digits))) == 1
    assert find_copies(digits, content_hashes(digits), small(digits)) == []


def test_groups():
    hashes = ["d", "a", "c", "a", "b", "e"]
    copies = [Copy(1, 3, SAME_BYTES), Copy(0, 4, MIRRORED), Copy(4, 5, SAME_PICTURE)]
    assert grouped(hashes, copies).tolist() == [1, 0, 2, 0, 1, 1]
    assert grouped(["b", "a"], []).tolist() == [1, 0]


def test_are_pictures():
    pixels = np.zeros((4, 4, 3), np.uint8)
    assert are_pictures(["a.jpg", pixels], [ReadImages(), ReadImages(size=(8, 8))])
    assert not are_pictures(["a.wav"], [ReadImages(), ReadAudio()])
    assert not are_pictures(["a.jpg"], [FeatureUnion([("a", ReadImages())])])
    assert are_pictures([pixels], [FeatureUnion([("a", ReadImages())])])
    for other in (pixels[0], np.zeros((4, 4, 2), np.uint8), np.zeros((4, 4, 1), np.int64)):
        assert not are_pictures([pixels, other], [ReadImages()])


def test_photographs(real_data, tmp_path):
    paths, _ = load_dataset("scenes8", root=real_data)
    original = small(paths)
    names = [path.rsplit("/", 2)[1:] for path in paths]
    copies = find_copies(paths, content_hashes(paths), original)
    found = {tuple("/".join(names[position]) for position in copy[:2]) for copy in copies}
    assert found == {
        ("coast/cdmc123.jpg", "coast/cdmc976.jpg"),
        ("coast/cdmc948.jpg", "coast/cdmc977.jpg"),
        ("insidecity/urb992.jpg", "tallbuilding/urb992.jpg"),
        ("mountain/sclos4.jpg", "mountain/sharp59.jpg"),
    }
    twice = {position for copy in copies for position in copy[:2]}
    chosen = np.random.default_rng(0).choice(len(paths), 60, replace=False)
    chosen = [int(index) for index in chosen if index not in twice]
    for change in CHANGES:
        again = [changed(Image.open(paths[i]), change, tmp_path / f"{i}.jpg") for i in chosen]
        pairs = similar_pictures(np.concatenate([original, small(again)]))
        planted = [pair[:2] for pair in pairs if pair.second >= len(paths)]
        assert planted == [(index, len(paths) + chosen.index(index)) for index in sorted(chosen)]
