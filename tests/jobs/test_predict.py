import csv as csv_module
import os
from pathlib import Path

import numpy as np
import pyarrow
import pytest
from noise_classes import draw, hog, pyramid
from PIL import Image
from pyarrow import csv, parquet
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import NearestCentroid
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC, LinearSVC

from featx.core.errors import ModelError, OutputError
from featx.jobs.predict import predict
from featx.jobs.train import train
from featx.pipeline.fitting import class_scores

KEPT = [1, 2, 3, 4, 5, 6, 8, 9, 10]


def message(function, *arguments, kind=ModelError, **keywords):
    with pytest.raises(kind) as error:
        function(*arguments, **keywords)
    return str(error.value)


def read(file):
    """Read the table that `predict` wrote."""
    if file.suffix.lower() == ".parquet":
        return parquet.read_table(file)
    text = pyarrow.string()
    convert = csv.ConvertOptions(
        strings_can_be_null=True,
        column_types=dict.fromkeys(["path", "prediction", "status", "reason"], text),
    )
    return csv.read_csv(file, convert_options=convert)


def test_no_cell_of_predictions_is_a_formula(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = ["=1+2", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\uff1d1", "good"]
    images, labels = draw(len(names), 2)
    for name, image in zip(names, images, strict=True):
        Image.fromarray(image[..., 0]).save(name, "PNG")
    labels = np.where(labels == "a", "=cmd|' /C calc'!A0", "-2")
    model = train(names, y=labels, recipe=make_pipeline(pyramid(), GaussianNB())).model
    predictions = predict(names, model=model, out="p.csv").predictions
    with open("p.csv", newline="") as file:
        header, *rows = csv_module.reader(file)
    assert [row[0] for row in rows] == [*(f"'{name}" for name in names[:-1]), "good"]
    assert [row[1] for row in rows] == [f"'{name}" for name in predictions.tolist()]
    assert not [cell for cell in header if cell[0] in "=+-@"]
    # Parquet files keep the names unchanged.
    predict(names, model=model, out="p.parquet")
    table = parquet.read_table("p.parquet")
    assert table["path"].to_pylist() == names
    assert table["prediction"].to_pylist() == predictions.tolist()


@pytest.mark.parametrize("name", ["p.csv", "p.parquet", "P.CSV"])
@pytest.mark.parametrize(
    ("classifier", "kind"), [(GaussianNB(), "probability"), (LinearSVC(), "score")]
)
@pytest.mark.parametrize("classes", [2, 3])
def test_predictions(tmp_path, folder, name, classifier, kind, classes):
    paths, labels = folder
    labels = labels if classes == 3 else np.where(labels == "c", "b", labels)
    kept = [paths[i] for i in KEPT]
    model = train(kept, y=labels[KEPT], recipe=make_pipeline(pyramid(), classifier)).model
    model[0].chunk_size = 2  # some chunks have no image that is not refused
    paths = [*paths[:7], *(paths[i] for i in (7, 11, 0, 7)), *paths[7:]]
    read_paths = [path for path in paths if path in kept]
    told = []
    found = predict(
        paths,
        model=model,
        out=tmp_path / "deep" / name,
        n_jobs=2,
        progress=lambda *count: told.append(count),
    )
    predictions, refused = found.predictions, found.refused
    expected = model.predict(read_paths)
    assert predictions.tolist() == expected.tolist()
    broken = [path for path in paths if path not in kept]
    assert [one.path for one in refused] == broken
    assert np.sum(told, axis=0).tolist() == [len(paths), len(broken)]
    table = read(tmp_path / "deep" / name)
    names = ["a", "b", "c"][:classes]
    assert table.column_names == [
        "path",
        "prediction",
        *(f"{kind}_{one}" for one in names),
        "status",
        "reason",
    ]
    assert table["path"].to_pylist() == paths
    ok = [path in kept for path in paths]
    assert table["status"].to_pylist() == ["ok" if one else "refused" for one in ok]
    assert table["reason"].to_pylist() == [None if one else "not-an-image" for one in ok]
    assert [one is not None for one in table["prediction"].to_pylist()] == ok
    assert table["prediction"].drop_null().to_pylist() == expected.tolist()
    scores = (
        model.predict_proba(read_paths)
        if kind == "probability"
        else model.decision_function(read_paths)
    )
    if scores.ndim == 1:
        scores = np.stack([-scores, scores], axis=1)
    for index, one in enumerate(names):
        column = table[f"{kind}_{one}"]
        assert [value is not None for value in column.to_pylist()] == ok
        found = np.array(column.drop_null().to_pylist(), np.float64)
        # The last bits of a matrix product depend on the number of rows.
        np.testing.assert_allclose(found, scores[:, index], rtol=1e-12)


@pytest.mark.parametrize(
    "classifier", [NearestCentroid(metric="manhattan"), SVC(decision_function_shape="ovo")]
)
def test_predictions_of_classifiers_without_a_score_for_each_class(tmp_path, classifier):
    images, labels = draw(60)
    labels[::7] = "d"  # four classes have six pairs
    model = train(images, y=labels, recipe=make_pipeline(hog(), classifier)).model
    kind, scores = class_scores(model[1:], model[0].transform(images))
    if kind == "score":
        expected = np.array(["a", "b", "c", "d"]) == model.predict(images)[:, np.newaxis]
        np.testing.assert_array_equal(scores, expected.astype(float))
    assert scores.shape == (60, 4)
    assert scores.argmax(axis=1).tolist() == [
        "abcd".index(name) for name in model.predict(images).tolist()
    ]


def test_predictions_that_cannot_be_written(tmp_path, folder):
    paths, labels = folder
    kept = [paths[i] for i in KEPT]
    model = train(kept, y=labels[KEPT], recipe=make_pipeline(pyramid(), GaussianNB())).model
    before = sorted(tmp_path.rglob("*"))
    for name in ("p.txt", "p", "p.csv.gz"):
        file = tmp_path / name
        assert message(predict, kept, model=model, out=file, kind=OutputError) == (
            f"{file}: the name must end in .csv or .parquet."
        )
    assert message(predict, paths[:1], model=model, out=tmp_path / "new" / "p.csv") == (
        f"All 1 images were rejected. The first: {paths[0]}: not-an-image: unknown image format. "
        "Supported formats: JPEG, PNG, GIF, TIFF, BMP, WebP and PPM/PGM/PBM."
    )
    below = f"{paths[0]}/p.csv"
    assert message(predict, kept, model=model, out=below, kind=OutputError) == (
        f"{below}: cannot be written: a parent folder is a file."
    )

    def interrupt(done, refused):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict(kept, model=model, out=tmp_path / "p.csv", n_jobs=1, progress=interrupt)
    assert sorted(tmp_path.rglob("*")) == before


def test_predictions_replace_a_file(tmp_path, folder):
    paths, labels = folder
    kept = [paths[i] for i in KEPT]
    model = train(kept, y=labels[KEPT], recipe=make_pipeline(pyramid(), GaussianNB())).model
    (tmp_path / "p.csv").write_text("old")
    predict(kept, model=model, out=tmp_path / "p.csv")
    assert read(tmp_path / "p.csv").num_rows == 9


def test_names_that_are_not_unicode(tmp_path, folder):
    paths, labels = folder
    name = os.fsencode(tmp_path) + b"/\xff.png"
    Path(os.fsdecode(name)).write_bytes(Path(paths[1]).read_bytes())
    kept = [paths[i] for i in KEPT]
    model = train(kept, y=labels[KEPT], recipe=make_pipeline(pyramid(), GaussianNB())).model
    for file in ("p.csv", "p.parquet"):
        predict([os.fsdecode(name), name], model=model, out=tmp_path / file)
        assert read(tmp_path / file)["path"].to_pylist() == [f"{tmp_path}/\\xff.png"] * 2


def test_arrays_paths_and_a_folder_are_predicted_alike(photos, readable, recipe, tmp_path):
    paths, arrays, _ = readable
    model = train(photos, recipe=recipe, out=tmp_path / "m.skops").model
    found = predict(photos, model=tmp_path / "m.skops", out=tmp_path / "p.csv")
    assert found.predictions.tolist() == model.predict(paths).tolist()
    np.testing.assert_array_equal(found.scores, model.predict_proba(paths))
    assert (found.kind, found.classes, found.kept) == ("probability", ["a", "b"], [*range(12)])
    assert [one.path for one in found.refused] == [f"{photos}/b/note.txt"]
    assert found.table["path"].to_pylist() == [*paths, f"{photos}/b/note.txt"]
    assert str(found).startswith(f"{tmp_path}/p.csv: 12 images (a ")
    for images in (paths, arrays, np.stack(arrays)):
        other = predict(images, model=model)
        assert str(other) == str(found).partition(": ")[2]
        assert other.as_data()["out"] is None
        assert other.predictions.tolist() == found.predictions.tolist()
        np.testing.assert_array_equal(other.scores, found.scores)
    assert other.table["path"].to_pylist() == [f"image {index}" for index in range(12)]
