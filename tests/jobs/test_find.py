import numpy as np
import pyarrow
import pytest
from PIL import Image
from pyarrow import parquet

from featx.core.errors import InputError, OutputError, PatternError
from featx.descriptors.pattern_search import stop_sign
from featx.jobs.find import find, read_pattern


@pytest.fixture
def street(tmp_path):
    """Write noise with a pattern at (20, 40), noise without it, and a broken file."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (2, 80, 90, 3), np.uint8)
    pattern = rng.integers(0, 256, (30, 40, 3), np.uint8)
    images[0, 20:50, 40:80] = pattern
    folder = tmp_path / "street"
    folder.mkdir()
    for name, image in zip("ab", images, strict=True):
        Image.fromarray(image).save(folder / f"{name}.png")
    (folder / "c.png").write_bytes(b"")
    Image.fromarray(pattern).save(tmp_path / "pattern.png")
    return folder, images, pattern


def test_arrays_paths_and_a_folder_are_searched_alike(street, tmp_path):
    folder, images, pattern = street
    told = []
    found = find(
        tmp_path / "pattern.png",
        folder,
        out=tmp_path / "hits.parquet",
        pictures=tmp_path / "pictures",
        size=30,
        progress=lambda *n: told.append(n),
    )
    assert np.sum(told, axis=0).tolist() == [3, 1]
    ((hit, *_), none, broken) = found.hits
    assert [hit.row, hit.column, hit.height, hit.width] == [20, 40, 30, 40]
    assert hit.strength == pytest.approx(1, abs=1e-4)
    assert (none, broken, found.images) == ([], [], 2)
    assert [one.path for one in found.refused] == [f"{folder}/c.png"]
    assert str(found) == f"{tmp_path}/hits.parquet: 1 hits in 1 of 2 images"
    assert parquet.read_table(tmp_path / "hits.parquet").equals(found.table)
    assert [path.name for path in (tmp_path / "pictures").iterdir()] == ["000000 a.jpg"]
    paths = [str(folder / "a.png"), str(folder / "b.png")]
    for given in (paths, list(images), images):
        for searched in (pattern, (pattern, np.ones((30, 40))), tmp_path / "pattern.png"):
            other = find(searched, given, size=30)
            assert other.hits == found.hits[:2]
            assert str(other) == "1 hits in 1 of 2 images"
    assert other.table["path"].to_pylist() == ["image 0", "image 1"]
    names = [name for name in found.table.column_names if name != "path"]
    assert other.table.select(names).equals(found.table.select(names)[:2])
    find(pattern, images, pictures=tmp_path / "of arrays", size=30)
    assert [path.name for path in (tmp_path / "of arrays").iterdir()] == ["000000 image 0.jpg"]


def test_patterns():
    pixels, mask = read_pattern("stop-sign")
    for one, other in zip((pixels, mask), stop_sign(96), strict=True):
        np.testing.assert_array_equal(one, other)
    gray = np.arange(12, dtype=np.uint8).reshape(3, 4)
    pixels, mask = read_pattern(gray)
    np.testing.assert_array_equal(pixels, np.dstack([gray / np.float32(255)] * 3))
    np.testing.assert_array_equal(mask, np.ones((3, 4)))
    pixels, _ = read_pattern(np.float32(gray[..., np.newaxis]) / 11)
    assert pixels.shape == (3, 4, 3)
    assert pixels.max() == 1


def test_errors(street, tmp_path):
    folder, images, pattern = street
    with pytest.raises(PatternError) as error:
        find(np.zeros((8, 8, 3)), images)
    assert str(error.value) == (
        "pattern: the visible part has one color. Use a pattern with edges."
    )
    with pytest.raises(InputError) as error:
        find(pattern, [])
    assert str(error.value) == "images: is empty. Pass at least one image."
    with pytest.raises(OutputError) as error:
        find(pattern, images, out="hits.txt")
    assert str(error.value) == "hits.txt: the name must end in .csv or .parquet."
    broken = folder / "c.png"
    with pytest.raises(PatternError) as error:
        find(pattern, [broken], out=tmp_path / "new" / "hits.csv")
    assert str(error.value) == (
        f"All 1 images were rejected. The first: {broken}: empty: the file has no bytes."
    )
    assert not (tmp_path / "new").exists()


def test_the_table_has_the_types_of_its_columns(street):
    _, images, pattern = street
    table = find(pattern, images[1:], size=30).table
    assert table.schema.field("strength").type == pyarrow.float64()
    assert table["strength"].to_pylist() == [None]
