import json
import os
from pathlib import Path

import numpy as np
import pyarrow
import pytest
from PIL import Image
from pyarrow import dataset, parquet

from featx import (
    HOG,
    ReadImages,
    Sobel,
    SpatialPyramid,
    Stream,
    Summarize,
    read_features,
    store,
)
from featx.store import StoreError, write_features
from featx.writing import OutputError


def gray(size=(16, 16)):
    return ReadImages(size=size, mode="gray")


def pyramid(**parameters):
    return Stream([gray(), SpatialPyramid(levels=[2])], **parameters)


@pytest.fixture
def images(tmp_path):
    """Make ten files of which 1, 4 and 5 are no images, and 9 is missing; their labels."""
    folder = tmp_path / "images"
    folder.mkdir()
    rng = np.random.default_rng(0)
    paths = [str(folder / f"{index}.png") for index in range(10)]
    for index, path in enumerate(paths[:-1]):
        Image.fromarray(rng.integers(0, 256, (20, 24), np.uint8)).save(path)
        if index in (1, 4):
            Path(path).write_bytes(b"no image")
    Path(paths[5]).write_bytes(b"")
    return paths, ["b", "a", None, "b", None, "c", "a", "a", "b", "c"]


REASONS = {1: "not-an-image", 4: "not-an-image", 5: "empty", 9: "missing"}
KEPT = [0, 2, 3, 6, 7, 8]


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def message(kind, function, *arguments):
    with pytest.raises(kind) as error:
        function(*arguments)
    return str(error.value)


def check_table(table, images, vectors):
    """Check every value of the table against what was written."""
    paths, labels = images
    assert table.column_names == ["path", "label", "status", "reason", "features"]
    assert table["path"].to_pylist() == paths
    assert table["label"].to_pylist() == labels
    assert table["reason"].to_pylist() == [REASONS.get(i) for i in range(len(paths))]
    status = ["refused" if i in REASONS else "ok" for i in range(len(paths))]
    assert table["status"].to_pylist() == status
    features = table["features"].to_pylist()
    assert [i for i, row in enumerate(features) if row is not None] == KEPT
    np.testing.assert_array_equal(np.float32([features[i] for i in KEPT]), vectors)


@pytest.mark.parametrize("parameters", [{}, {"chunk_size": 1}, {"chunk_size": 3, "n_jobs": 2}])
def test_round_trip(tmp_path, images, parameters):
    paths, labels = images
    expected = pyramid().fit_transform([paths[i] for i in KEPT])
    told = []
    written = write_features(
        tmp_path / "out", paths, labels, pyramid(**parameters), None, lambda *n: told.append(n)
    )
    assert (written.images, written.dimensions) == (10, 4)
    assert [(one.path, one.reason) for one in written.refused] == [
        (paths[i], reason) for i, reason in REASONS.items()
    ]
    assert np.sum(told, axis=0).tolist() == [10, 4]
    found = read_features(tmp_path / "out")
    np.testing.assert_array_equal(found.vectors, expected)
    assert found.vectors.dtype == np.float32
    assert found.labels.tolist() == [labels[i] for i in KEPT]
    assert found.paths == [paths[i] for i in KEPT]
    assert found.names == pyramid().fit(paths[:1]).get_feature_names_out().tolist()
    assert files(tmp_path / "out") == ["part-000000.parquet"]
    check_table(parquet.read_table(tmp_path / "out"), images, expected)


def test_schema_and_metadata(tmp_path, images):
    write_features(tmp_path / "out", *images, pyramid(), {"recipe": "mine", "digest": "0"})
    schema = parquet.read_schema(tmp_path / "out" / "part-000000.parquet")
    assert [(field.name, field.type) for field in schema] == [
        ("path", pyarrow.string()),
        ("label", pyarrow.string()),
        ("status", pyarrow.string()),
        ("reason", pyarrow.string()),
        ("features", pyarrow.list_(pyarrow.float32(), 4)),
    ]
    assert json.loads(schema.metadata[b"featx"]) == {
        "recipe": "mine",
        "digest": "0",
        "names": pyramid().fit(images[0][:1]).get_feature_names_out().tolist(),
    }


def test_many_parts(tmp_path, images, monkeypatch):
    monkeypatch.setattr(store, "_ROWS", 3)
    paths, labels = images
    expected = pyramid().fit_transform([paths[i] for i in KEPT])
    write_features(tmp_path / "out", paths, labels, pyramid(chunk_size=2))
    assert files(tmp_path / "out") == [f"part-{part:06d}.parquet" for part in range(3)]
    parts = [parquet.read_table(path) for path in sorted((tmp_path / "out").iterdir())]
    assert [len(part) for part in parts] == [4, 4, 2]
    check_table(dataset.dataset(tmp_path / "out").to_table(), images, expected)
    found = read_features(tmp_path / "out")
    np.testing.assert_array_equal(found.vectors, expected)
    assert found.paths == [paths[i] for i in KEPT]


def test_refused_images_at_the_beginning_and_the_end(tmp_path, images, monkeypatch):
    monkeypatch.setattr(store, "_ROWS", 2)
    paths = [images[0][i] for i in (1, 4, 5, 9, 0, 1, 4, 5)]
    write_features(tmp_path / "out", paths, ["x"] * 8, pyramid(chunk_size=1))
    table = dataset.dataset(tmp_path / "out").to_table()
    assert table["path"].to_pylist() == paths
    assert table["status"].to_pylist() == ["refused"] * 4 + ["ok"] + ["refused"] * 3
    found = read_features(tmp_path / "out")
    np.testing.assert_array_equal(found.vectors, pyramid().fit_transform(paths[4:5]))


def test_pandas(tmp_path, images):
    pandas = pytest.importorskip("pandas")
    write_features(tmp_path / "out", *images, pyramid())
    check_table(
        pyarrow.Table.from_pandas(pandas.read_parquet(tmp_path / "out"), preserve_index=False),
        images,
        read_features(tmp_path / "out").vectors,
    )


def test_polars(tmp_path, images, monkeypatch):
    polars = pytest.importorskip("polars")
    monkeypatch.setattr(store, "_ROWS", 3)
    write_features(tmp_path / "out", *images, pyramid(chunk_size=2))
    frame = polars.read_parquet(tmp_path / "out")
    assert frame.schema["features"] == polars.Array(polars.Float32, 4)
    check_table(frame.to_arrow(), images, read_features(tmp_path / "out").vectors)


def test_duckdb(tmp_path, images, monkeypatch):
    duckdb = pytest.importorskip("duckdb")
    monkeypatch.setattr(store, "_ROWS", 3)
    write_features(tmp_path / "out", *images, pyramid(chunk_size=2))
    rows = duckdb.sql(f"select * from '{tmp_path}/out/*.parquet'")
    columns = dict(zip(rows.columns, zip(*rows.fetchall(), strict=True), strict=True))
    check_table(pyarrow.table(columns), images, read_features(tmp_path / "out").vectors)


def test_names_that_are_not_unicode(tmp_path, images):
    name = os.fsencode(tmp_path) + b"/\xff\n.png"
    Path(os.fsdecode(name)).write_bytes(Path(images[0][0]).read_bytes())
    paths = [os.fsdecode(name), name, Path(os.fsdecode(name))]
    write_features(tmp_path / "out", paths, ["x", "y", "z"], pyramid())
    found = read_features(tmp_path / "out")
    assert found.paths == [f"{tmp_path}/\\xff\n.png"] * 3
    assert found.labels.tolist() == ["x", "y", "z"]


def test_no_images_of_a_class(tmp_path, images):
    paths = [images[0][i] for i in KEPT]
    write_features(tmp_path / "out", paths, [None] * len(paths), pyramid())
    assert read_features(tmp_path / "out").labels.tolist() == [None] * len(paths)
    assert parquet.read_schema(tmp_path / "out/part-000000.parquet").field("label").type == "string"


def test_different_lengths(tmp_path, images):
    paths = [images[0][i] for i in KEPT]
    Image.fromarray(np.zeros((24, 24), np.uint8)).save(paths[3])
    stream = Stream([ReadImages(mode="gray"), HOG(pixels_per_cell=(8, 8), cells_per_block=(1, 1))])
    stream.chunk_size = 1
    out = tmp_path / "deep" / "out"
    assert message(StoreError, write_features, out, paths, ["x"] * 6, stream) == (
        f"The recipe gives vectors of different lengths, 54 and 81 for {paths[3]}. Give all images "
        "one size, for example with ReadImages: {size: [256, 256]}."
    )
    assert files(tmp_path) == ["images", *sorted(f"images/{i}.png" for i in range(9))]


@pytest.mark.parametrize("size", [(16, 16), None])
def test_no_vectors(tmp_path, images, size):
    stream = Stream([gray(size), Sobel()])
    assert message(StoreError, write_features, tmp_path / "out", *images, stream) == (
        "The recipe gives no vectors before it learns. End its image stages with one that gives "
        "vectors, such as Summarize or HOG."
    )
    assert files(tmp_path) == ["images", *sorted(f"images/{i}.png" for i in range(9))]


def test_all_refused(tmp_path, images):
    paths = [images[0][i] for i in REASONS]
    found = message(StoreError, write_features, tmp_path / "out", paths, ["x"] * 4, pyramid())
    assert found == (
        f"All 4 images are refused. The first: {paths[0]}: not-an-image: its content is of no "
        "known format. Known formats: JPEG, PNG, GIF, TIFF, BMP, WebP and PPM/PGM/PBM, complete "
        "and not damaged."
    )
    assert files(tmp_path) == ["images", *sorted(f"images/{i}.png" for i in range(9))]


def test_interrupted(tmp_path, images):
    def interrupt(done, refused):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_features(tmp_path / "out", *images, pyramid(chunk_size=1), None, interrupt)
    assert files(tmp_path) == ["images", *sorted(f"images/{i}.png" for i in range(9))]


def test_a_folder_that_is_not_empty(tmp_path, images):
    found = message(OutputError, write_features, tmp_path / "images", *images, pyramid())
    assert found == (
        f"{tmp_path}/images: it exists already, and is not an empty folder. Remove it, or choose "
        "another name."
    )
    assert files(tmp_path) == ["images", *sorted(f"images/{i}.png" for i in range(9))]


def test_reading_what_is_not_there(tmp_path):
    missing = tmp_path / "nowhere"
    assert message(StoreError, read_features, missing) == f"{missing}: there is no such folder."


@pytest.mark.parametrize("content", ["nothing", "text", "other", "ours without names"])
def test_reading_what_is_something_else(tmp_path, content):
    folder = tmp_path / "folder"
    folder.mkdir()
    if content == "text":
        (folder / "x.txt").write_text("text")
    elif content != "nothing":
        columns = ["path", "label", "status", "reason", "features"]
        values = {name: ["ok"] for name in (columns if "ours" in content else ["x"])}
        parquet.write_table(pyarrow.table(values), folder / "x.parquet")
    assert message(StoreError, read_features, folder) == (
        f"{folder}: not a folder that featx extract wrote."
    )


def test_one_number(tmp_path, images):
    stream = Stream([gray(), Summarize(statistics=["mean"])])
    write_features(tmp_path / "out", *images, stream)
    found = read_features(tmp_path / "out")
    assert found.vectors.shape == (6, 1)
    assert len(found.names) == 1
