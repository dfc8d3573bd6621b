import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet

from featx import HOG, ReadImages, Stream, __version__, load_dataset, read_features
from featx.core.errors import StoreError
from featx.store.columns import METADATA
from featx.store.extraction import write_features
from featx.store.store import is_store, iterate_features, read_refused

#: Stores written by the first version, with tests/data/write.py.
DATA = Path(__file__).parents[1] / "data"


def message(kind, function, *arguments):
    with pytest.raises(kind) as error:
        function(*arguments)
    return str(error.value)


def test_reading_what_is_not_there(tmp_path):
    missing = tmp_path / "nowhere"
    assert message(StoreError, read_features, missing) == f"{missing}: the folder does not exist."


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
        f"{folder}: not a feature store. Pass a folder written by featx extract."
    )


def known(name):
    """Return the expected content of a store of the first format."""
    with np.load(DATA / f"{name}.npz") as file:
        return dict(file)


def rewrite(name, folder, **about):
    """Copy a store of the first format, and change its metadata."""
    folder.mkdir()
    table = parquet.read_table(DATA / name / "part-000000.parquet")
    metadata = json.loads(table.schema.metadata[METADATA]) | about
    table = table.replace_schema_metadata({METADATA: json.dumps(metadata)})
    parquet.write_table(table, folder / "part-000000.parquet")
    return folder


def check_rows(found, expected):
    assert found.paths == expected["paths"].tolist()
    assert found.labels.tolist() == [label or None for label in expected["labels"].tolist()]


def test_a_store_of_the_first_format():
    folder, expected = DATA / "store-format-1", known("store-format-1")
    for found in (read_features(folder), *iterate_features(folder)):
        np.testing.assert_array_equal(found.vectors, expected["vectors"])
        assert found.vectors.dtype == np.float32
        assert found.names == expected["names"].tolist()
        check_rows(found, expected)
    assert [(one.path, one.reason) for one in read_refused(folder)] == [
        ("photos/3.png", "not-an-image")
    ]
    with pytest.warns(UserWarning, match="1 of 5 files have no label"):
        images, labels = load_dataset(folder)
    labeled = expected["labels"] != ""
    assert [str(image) for image in images] == expected["paths"][labeled].tolist()
    assert labels.tolist() == expected["labels"][labeled].tolist()


def test_descriptor_sets_of_the_first_format():
    folder, expected = DATA / "store-format-1-sets", known("store-format-1-sets")
    found = read_features(folder)
    check_rows(found, expected)
    for index, one in enumerate(found.vectors):
        np.testing.assert_array_equal(one.values, expected["values"][index])
        np.testing.assert_array_equal(one.positions, expected["positions"][index])
        np.testing.assert_array_equal(one.scales, expected["scales"][index])
        assert one.size == tuple(expected["sizes"][index].tolist())


def test_features_of_another_version_can_be_read(tmp_path):
    folder = rewrite("store-format-1", tmp_path / "features", featx_version="0.0.9")
    expected = known("store-format-1")
    np.testing.assert_array_equal(read_features(folder).vectors, expected["vectors"])


def test_a_newer_format(tmp_path):
    about = {"format": 2, "featx_version": "9.1\n", "steps": None}
    folder = rewrite("store-format-1", tmp_path / "features", **about)
    for read in (
        read_features,
        read_refused,
        load_dataset,
        lambda folder: [*iterate_features(folder)],
        lambda folder: write_features(folder, [], Stream([ReadImages(), HOG()])),
    ):
        assert message(StoreError, read, folder) == (
            f"{folder}: written by featx 9.1 in format 2, but this version, featx {__version__}, "
            "reads only format 1. Upgrade featx: pip install --upgrade featx."
        )
    assert is_store(folder)


@pytest.mark.parametrize("number", [None, "1", True, 1.0])
def test_without_a_format(tmp_path, number):
    folder = rewrite("store-format-1", tmp_path / "features", format=number)
    assert message(StoreError, read_features, folder) == (
        f"{folder}: not a feature store. Pass a folder written by featx extract."
    )


def test_what_this_version_does_not_have(tmp_path):
    here = Stream([ReadImages(mode="gray"), HOG()])
    about = json.loads(
        parquet.read_schema(DATA / "store-format-1" / "part-000000.parquet").metadata[METADATA]
    )
    read, hog = about["steps"]
    older = {"fit": "stretch", **read["featx.ReadImages"]}
    older.pop("resize")
    for steps, problem in (
        (
            [{"featx.ReadImages": older}, hog],
            "featx.ReadImages has no parameter 'fit' and a value for the parameter 'resize' of "
            "featx.ReadImages is missing",
        ),
        (
            [read, {"featx.Gone": {}}],
            "contains features of featx.Gone, which does not exist in this version of featx",
        ),
        (
            [read, {"union": [[hog, {"featx.Gone": {}}]]}],
            "contains features of featx.Gone, which does not exist in this version of featx",
        ),
    ):
        folder = rewrite(
            "store-format-1", tmp_path / "features", steps=steps, featx_version="0.0.9"
        )
        assert message(StoreError, write_features, folder, [], here) == (
            f"{folder}: {problem}. The store was written by featx 0.0.9, but this version is "
            f"featx {__version__}. Choose another folder, or use that version: pip install "
            "featx==0.0.9."
        )
        assert len(read_features(folder).paths) == 5
        shutil.rmtree(folder)
