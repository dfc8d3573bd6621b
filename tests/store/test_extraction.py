import csv
import hashlib
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pyarrow
import pytest
from PIL import Image
from pyarrow import dataset, parquet

from featx import (
    HOG,
    DenseSIFT,
    ReadImages,
    Sobel,
    SpatialPyramid,
    Stream,
    Summarize,
    __version__,
    read_features,
)
from featx.core.errors import OutputError, StoreError
from featx.store import extraction
from featx.store import resume as earlier
from featx.store.extraction import write_features
from featx.store.store import open_store, read_refused


def gray(size=(16, 16)):
    return ReadImages(size=size, mode="gray")


def pyramid(**parameters):
    return Stream([gray(), SpatialPyramid(levels=[2])], **parameters)


@pytest.fixture
def images(tmp_path):
    """Return ten paths and labels; files 1, 4 and 5 are not images, and 9 is missing."""
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
COLUMNS = ["path", "label", "status", "reason", "detail", "size", "modified", "sha256", "features"]


def write(folder, paths, labels, stream, **options):
    return write_features(folder, zip(paths, labels, strict=True), stream, **options)


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def message(kind, function, *arguments):
    with pytest.raises(kind) as error:
        function(*arguments)
    return str(error.value)


def check_table(table, images, vectors):
    """Check all values of the table."""
    paths, labels = images
    assert table.column_names == COLUMNS
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
    written = write(
        tmp_path / "out", paths, labels, pyramid(**parameters), progress=lambda *n: told.append(n)
    )
    assert written[:4] == (10, 0, 0, 4)
    assert written.refused == {"not-an-image": 2, "empty": 1, "missing": 1}
    assert written.complete
    assert [(one.path, one.reason) for one in read_refused(tmp_path / "out")] == [
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
    write(tmp_path / "out", *images, pyramid(), recipe="mine")
    schema = parquet.read_schema(tmp_path / "out" / "part-000000.parquet")
    text = pyarrow.string()
    assert [(field.name, field.type) for field in schema] == [
        ("path", text),
        ("label", text),
        ("status", text),
        ("reason", text),
        ("detail", text),
        ("size", pyarrow.int64()),
        ("modified", pyarrow.timestamp("ns")),
        ("sha256", text),
        ("features", pyarrow.list_(pyarrow.float32(), 4)),
    ]
    about = json.loads(schema.metadata[b"featx"])
    assert sorted(about.pop("steps")[0]["featx.ReadImages"]) == sorted(ReadImages().get_params())
    assert len(about.pop("digest")) == 16
    assert about == {
        "recipe": "mine",
        "format": 1,
        "featx_version": __version__,
        "dimensions": 4,
        "sets": False,
        "names": pyramid().fit(images[0][:1]).get_feature_names_out().tolist(),
    }


def test_what_is_known_of_the_files(tmp_path, images):
    paths, labels = images
    write(tmp_path / "out", paths, labels, pyramid())
    table = parquet.read_table(tmp_path / "out").to_pydict()
    there = [Path(path) for path in paths[:-1]]
    assert table["size"] == [path.stat().st_size for path in there] + [None]
    modified = parquet.read_table(tmp_path / "out")["modified"].cast(pyarrow.int64()).to_pylist()
    assert modified == [path.stat().st_mtime_ns for path in there] + [None]
    hashes = [hashlib.sha256(path.read_bytes()).hexdigest() for path in there]
    # Files in unknown formats are not read completely, and have no hash.
    assert table["sha256"] == [hashes[i] if i not in (1, 4, 5) else None for i in range(9)] + [None]
    details = {one.path: one.detail for one in read_refused(tmp_path / "out")}
    assert table["detail"] == [details.get(path) for path in paths]


def test_many_parts(tmp_path, images, monkeypatch):
    monkeypatch.setattr(extraction, "_ROWS", 3)
    paths, labels = images
    expected = pyramid().fit_transform([paths[i] for i in KEPT])
    write(tmp_path / "out", paths, labels, pyramid(chunk_size=2))
    assert files(tmp_path / "out") == [f"part-{part:06d}.parquet" for part in range(3)]
    parts = [parquet.read_table(path) for path in sorted((tmp_path / "out").iterdir())]
    assert [len(part) for part in parts] == [4, 4, 2]
    check_table(dataset.dataset(tmp_path / "out").to_table(), images, expected)
    found = read_features(tmp_path / "out")
    np.testing.assert_array_equal(found.vectors, expected)
    assert found.paths == [paths[i] for i in KEPT]


def test_refused_images_at_the_beginning_and_the_end(tmp_path, images, monkeypatch):
    monkeypatch.setattr(extraction, "_ROWS", 2)
    paths = [images[0][i] for i in (1, 4, 5, 9, 0, 1, 4, 5)]
    write(tmp_path / "out", paths, ["x"] * 8, pyramid(chunk_size=1))
    table = dataset.dataset(tmp_path / "out").to_table()
    assert table["path"].to_pylist() == paths
    assert table["status"].to_pylist() == ["refused"] * 4 + ["ok"] + ["refused"] * 3
    found = read_features(tmp_path / "out")
    np.testing.assert_array_equal(found.vectors, pyramid().fit_transform(paths[4:5]))


def test_pandas(tmp_path, images):
    pandas = pytest.importorskip("pandas")
    write(tmp_path / "out", *images, pyramid())
    check_table(
        pyarrow.Table.from_pandas(pandas.read_parquet(tmp_path / "out"), preserve_index=False),
        images,
        read_features(tmp_path / "out").vectors,
    )


def test_polars(tmp_path, images, monkeypatch):
    polars = pytest.importorskip("polars")
    monkeypatch.setattr(extraction, "_ROWS", 3)
    write(tmp_path / "out", *images, pyramid(chunk_size=2))
    frame = polars.read_parquet(tmp_path / "out")
    assert frame.schema["features"] == polars.Array(polars.Float32, 4)
    check_table(frame.to_arrow(), images, read_features(tmp_path / "out").vectors)


def test_duckdb(tmp_path, images, monkeypatch):
    duckdb = pytest.importorskip("duckdb")
    monkeypatch.setattr(extraction, "_ROWS", 3)
    write(tmp_path / "out", *images, pyramid(chunk_size=2))
    rows = duckdb.sql(f"select * from '{tmp_path}/out/*.parquet'")
    columns = dict(zip(rows.columns, zip(*rows.fetchall(), strict=True), strict=True))
    check_table(pyarrow.table(columns), images, read_features(tmp_path / "out").vectors)


def test_names_that_are_not_unicode(tmp_path, images):
    name = os.fsencode(tmp_path) + b"/\xff\n.png"
    Path(os.fsdecode(name)).write_bytes(Path(images[0][0]).read_bytes())
    paths = [os.fsdecode(name), name, Path(os.fsdecode(name))]
    write(tmp_path / "out", paths, ["x", "y", "z"], pyramid())
    found = read_features(tmp_path / "out")
    assert found.paths == [f"{tmp_path}/\\xff\n.png"] * 3
    assert found.labels.tolist() == ["x", "y", "z"]


def test_no_images_of_a_class(tmp_path, images):
    paths = [images[0][i] for i in KEPT]
    write(tmp_path / "out", paths, [None] * len(paths), pyramid())
    assert read_features(tmp_path / "out").labels.tolist() == [None] * len(paths)
    assert parquet.read_schema(tmp_path / "out/part-000000.parquet").field("label").type == "string"


def test_different_lengths(tmp_path, images):
    paths = [images[0][i] for i in KEPT]
    Image.fromarray(np.zeros((24, 24), np.uint8)).save(paths[3])
    stream = Stream([ReadImages(mode="gray"), HOG(pixels_per_cell=(8, 8), cells_per_block=(1, 1))])
    stream.chunk_size = 1
    out = tmp_path / "deep" / "out"
    assert message(StoreError, write, out, paths, ["x"] * 6, stream) == (
        f"{paths[3]}: the vector has length 81, but earlier vectors have length 54. Resize all "
        "images to one size, for example with ReadImages: {size: [256, 256]}."
    )
    assert files(tmp_path) == ["images", *sorted(f"images/{i}.png" for i in range(9))]


@pytest.mark.parametrize("size", [(16, 16), None])
def test_no_vectors(tmp_path, images, size):
    stream = Stream([gray(size), Sobel()])
    assert message(StoreError, write, tmp_path / "out", *images, stream) == (
        "The stateless stages of the recipe do not return vectors. End its image stages with a "
        "stage that does, such as Summarize or HOG."
    )
    assert files(tmp_path) == ["images", *sorted(f"images/{i}.png" for i in range(9))]


def test_all_refused(tmp_path, images):
    paths = [images[0][i] for i in REASONS]
    found = message(StoreError, write, tmp_path / "out", paths, ["x"] * 4, pyramid())
    assert found == (
        f"All 4 images were rejected. The first: {paths[0]}: not-an-image: unknown image format. "
        "Supported formats: JPEG, PNG, GIF, TIFF, BMP, WebP and PPM/PGM/PBM."
    )
    assert files(tmp_path) == ["images", *sorted(f"images/{i}.png" for i in range(9))]


def test_interrupted(tmp_path, images):
    def interrupt(done, refused):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "out", *images, pyramid(chunk_size=1), progress=interrupt)
    assert files(tmp_path) == ["images", *sorted(f"images/{i}.png" for i in range(9))]


def test_a_folder_that_is_not_empty(tmp_path, images):
    found = message(OutputError, write, tmp_path / "images", *images, pyramid())
    assert found == (
        f"{tmp_path}/images: already exists and is not an empty folder. Remove it, or choose "
        "another name."
    )
    assert files(tmp_path) == ["images", *sorted(f"images/{i}.png" for i in range(9))]


def test_one_number(tmp_path, images):
    stream = Stream([gray(), Summarize(statistics=["mean"])])
    write(tmp_path / "out", *images, stream)
    found = read_features(tmp_path / "out")
    assert found.vectors.shape == (6, 1)
    assert len(found.names) == 1


def rows(folder):
    """Return all rows by their paths, which must be unique."""
    found = dataset.dataset(folder, format="parquet").to_table().to_pylist()
    named = {row["path"]: row for row in found}
    assert len(named) == len(found)
    return named


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


class TestGoingOn:
    """A second run on an existing store."""

    @pytest.fixture(autouse=True)
    def few_rows(self, monkeypatch):
        monkeypatch.setattr(extraction, "_ROWS", 3)
        monkeypatch.setattr(earlier, "_MOST_WAITING", 3)

    def test_finished_images_are_not_read_again(self, tmp_path, images):
        out = tmp_path / "out"
        paths, labels = images
        write(out, paths, labels, pyramid(chunk_size=1))
        before = contents(out)
        # Corrupt the file but keep its size and time: a second read would reject it.
        known = os.stat(paths[0])
        Path(paths[0]).write_bytes(b"x" * known.st_size)
        os.utime(paths[0], ns=(known.st_atime_ns, known.st_mtime_ns))
        told = []
        again = write(out, paths, labels, pyramid(), progress=lambda *n: told.append(n))
        # The missing file is retried.
        assert again[:4] == (10, 9, 0, 4)
        assert again.refused == {"not-an-image": 2, "empty": 1, "missing": 1}
        assert np.sum(told, axis=0).tolist() == [10, 4]
        assert contents(out) == before

    def test_after_any_number_of_parts(self, tmp_path, images):
        paths, labels = images
        write(tmp_path / "whole", paths, labels, pyramid(chunk_size=1))
        whole = contents(tmp_path / "whole")
        for count in range(1, len(whole)):
            out = tmp_path / f"{count}"
            shutil.copytree(tmp_path / "whole", out)
            for name in sorted(whole)[count:]:
                (out / name).unlink()
            write(out, paths, labels, pyramid(chunk_size=1))
            assert contents(out) == whole

    def test_a_part_that_was_lost(self, tmp_path, images):
        paths, labels = images
        out = tmp_path / "out"
        write(out, paths, labels, pyramid(chunk_size=1))
        whole = rows(out)
        (out / "part-000001.parquet").unlink()
        again = write(out, paths, labels, pyramid(chunk_size=1))
        assert again.earlier == 7 - 1
        assert rows(out) == whole

    def test_changed_new_removed_and_renamed(self, tmp_path, images):
        paths, labels = images
        out = tmp_path / "out"
        write(out, paths, labels, pyramid(chunk_size=1))
        os.replace(paths[6], paths[0])
        Path(paths[2]).unlink()
        Image.fromarray(np.eye(20, dtype=np.uint8)).save(paths[9])
        Image.fromarray(np.eye(30, dtype=np.uint8)).save(paths[4])
        there = [path for path in paths if Path(path).exists()]
        labels = ["new" if path == paths[7] else "old" for path in there]
        again = write(out, there, labels, pyramid(chunk_size=2))
        assert again[:4] == (8, 5, 2, 4)
        write(tmp_path / "fresh", there, labels, pyramid())
        expected = rows(tmp_path / "fresh")
        found = rows(out)
        for path in (paths[2], paths[6]):
            row = found.pop(path)
            assert (row["status"], row["reason"], row["features"]) == ("refused", "removed", None)
            assert row["detail"] == "the file existed in an earlier run, but no longer exists."
            assert row["sha256"] is not None
        assert found == expected
        # Removed rows stay marked; a file that exists again is read again.
        before = contents(out)
        assert write(out, there, labels, pyramid())[:3] == (8, 8, 0)
        assert contents(out) == before
        shutil.copy(paths[3], paths[2])
        again = write(out, [*there, paths[2]], [*labels, "old"], pyramid())
        assert again[:3] == (9, 8, 0)
        assert rows(out)[paths[2]]["features"] == rows(out)[paths[3]]["features"]
        assert rows(out)[paths[6]]["reason"] == "removed"

    def test_other_images(self, tmp_path, images):
        paths, labels = images
        out = tmp_path / "out"
        write(out, paths[:3], labels[:3], pyramid())
        assert write(out, paths[5:8], labels[5:8], pyramid())[:3] == (3, 0, 0)
        assert list(rows(out)) == [*paths[:3], *paths[5:8]]

    def test_other_labels(self, tmp_path, images):
        paths, labels = images
        out = tmp_path / "out"
        write(out, paths, labels, pyramid(chunk_size=1))
        others = [f"class {index}" for index in range(10)]
        assert write(out, paths, others, pyramid()).earlier == 9
        write(tmp_path / "fresh", paths, others, pyramid())
        assert rows(out) == rows(tmp_path / "fresh")

    def test_any_order(self, tmp_path, images):
        paths, labels = images
        out = tmp_path / "out"
        write(out, paths, labels, pyramid(chunk_size=1))
        before = contents(out)
        assert write(out, paths[::-1], labels[::-1], pyramid()).earlier == 9
        assert contents(out) == before

    def test_one_file_several_times(self, tmp_path, images):
        paths, labels = [images[0][0]] * 4, list("abca")
        write(tmp_path / "out", paths, labels, pyramid())
        before = contents(tmp_path / "out")
        assert write(tmp_path / "out", paths, labels, pyramid()).earlier == 4
        assert contents(tmp_path / "out") == before
        assert read_features(tmp_path / "out").labels.tolist() == labels

    def test_names_that_are_not_unicode(self, tmp_path, images):
        folder = os.fsencode(tmp_path)
        paths = [folder + b"/\xff.png", folder + b"/\\xff.png", folder + b"/\xfe\\x.png"]
        for path in paths:
            shutil.copy(images[0][0], os.fsdecode(path))
        out = tmp_path / "out"
        write(out, paths, "abc", pyramid())
        assert write(out, paths, "abc", pyramid())[:3] == (3, 3, 0)
        # The other files exist, but are not among the inputs.
        assert write(out, images[0][:1], "a", pyramid())[:3] == (1, 0, 0)

    def test_all_change_at_once(self, tmp_path, images):
        paths, labels = images
        out = tmp_path / "out"
        write(out, paths, labels, pyramid(chunk_size=1))
        for path in paths[:-1]:
            os.utime(path, (0, 0))
        assert write(out, paths, labels, pyramid()).earlier == 0
        write(tmp_path / "fresh", paths, labels, pyramid())
        assert rows(out) == rows(tmp_path / "fresh")


class TestAnotherRun:
    def test_another_recipe(self, tmp_path, images):
        out = tmp_path / "out"
        write(out, *images, pyramid(), recipe="mine")
        other = Stream([gray((8, 16)), SpatialPyramid(levels=[2])])
        assert message(StoreError, write, out, *images, other) == (
            f"{out}: contains features of another recipe, mine: step 1, ReadImages: size is [16, "
            "16] in the store and [8, 16] in this recipe. Choose another folder."
        )
        other = Stream([gray(), Sobel(), SpatialPyramid(levels=[2])])
        assert message(StoreError, write, out, *images, other) == (
            f"{out}: contains features of another recipe, mine: step 2 is SpatialPyramid in the "
            "store and Sobel in this recipe. Choose another folder."
        )
        other = Stream([gray()])
        assert message(StoreError, write, out, *images, other) == (
            f"{out}: contains features of another recipe, mine: step 2, SpatialPyramid, is in "
            "the store only. Choose another folder."
        )

    def test_another_version(self, tmp_path, images, monkeypatch):
        out = tmp_path / "out"
        write(out, *images, pyramid())
        monkeypatch.setattr("featx.__version__", "77")
        assert message(StoreError, write, out, *images, pyramid()) == (
            f"{out}: was written by featx {__version__}, but this version is featx 77, whose "
            "features may differ. Choose another folder, or use that version: pip install "
            f"featx=={__version__}."
        )

    def test_at_the_same_time(self, tmp_path, images):
        out = tmp_path / "out"
        with open_store(out, {}):
            found = message(OutputError, write, out, *images, pyramid())
        assert found == f"{out}: another run is writing to it."

    def test_a_damaged_part(self, tmp_path, images):
        out = tmp_path / "out"
        write(out, *images, pyramid())
        part = out / "part-000000.parquet"
        part.write_bytes(part.read_bytes()[:-9])
        assert message(StoreError, write, out, *images, pyramid()) == (
            f"{out}: not a feature store. Pass a folder written by featx extract."
        )


def test_the_ledger(tmp_path, images):
    out = tmp_path / "out"
    paths, labels = images
    formula = str(tmp_path / "images" / "x.png")
    Path(formula).write_bytes(b"")
    written = write(out, [*paths, formula], [*labels, None], pyramid())
    assert written.ledger == tmp_path / "out.refused.csv"
    with open(written.ledger, newline="") as file:
        header, *lines = csv.reader(file)
    assert header == ["path", "reason", "detail"]
    assert lines == [[one.path, one.reason, one.detail] for one in read_refused(out)]
    good = [paths[index] for index in KEPT]
    assert write(tmp_path / "good", good, "abcdef", pyramid()).ledger is None
    assert not (tmp_path / "good.refused.csv").exists()


def test_no_cell_of_the_ledger_is_a_formula(tmp_path, images, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = ["=1+2", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\uff1d1"]
    for name in names:
        Path(name).write_bytes(b"")
    written = write(tmp_path / "out", [images[0][0], *names], "abcdefgh", pyramid())
    with open(written.ledger, newline="") as file:
        _, *rows = csv.reader(file)
    assert [row[0] for row in rows] == [f"'{name}" for name in names]
    assert [one.path for one in read_refused(tmp_path / "out")] == names


def test_descriptor_sets(tmp_path, images):
    paths, labels = images
    stream = Stream([gray((32, 32)), DenseSIFT(step=8)])
    written = write(tmp_path / "out", paths, labels, stream)
    assert written.dimensions == 128
    expected = stream.transform([paths[index] for index in KEPT])
    found = read_features(tmp_path / "out")
    assert found.labels.tolist() == [labels[index] for index in KEPT]
    assert found.names == []
    for one, other in zip(found.vectors, expected, strict=True):
        np.testing.assert_array_equal(one.values, other.values)
        np.testing.assert_array_equal(one.positions, other.positions)
        np.testing.assert_array_equal(one.scales, other.scales)
        assert one.size == other.size
    table = parquet.read_table(tmp_path / "out")
    assert table["features"].null_count == 4
    assert message(StoreError, read_features, tmp_path / "out", "pandas") == (
        f"{tmp_path}/out: descriptor sets cannot be read as a data frame. Use output='numpy' or "
        "output='arrow'."
    )
    again = write(tmp_path / "out", paths, labels, stream)
    assert again.earlier == 9
    Path(paths[0]).unlink()
    write(tmp_path / "out", paths, labels, stream)
    assert [one.values is None for one in read_features(tmp_path / "out").vectors] == [False] * 5


def test_data_frames(tmp_path, images):
    paths, labels = images
    write(tmp_path / "out", paths, labels, pyramid())
    expected = read_features(tmp_path / "out")
    for output in ("pandas", "polars"):
        frame = read_features(tmp_path / "out", output=output)
        assert list(frame.columns) == ["path", "label", *expected.names]
        assert list(frame["path"]) == expected.paths
        np.testing.assert_array_equal(frame[expected.names].to_numpy(), expected.vectors)
    table = read_features(tmp_path / "out", output="arrow")
    assert table["path"].to_pylist() == expected.paths
    assert message(StoreError, read_features, tmp_path / "out", "excel") == (
        "output='excel' is not supported. Use one of numpy, pandas, polars, arrow."
    )
