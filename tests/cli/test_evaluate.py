import json

import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, confusion_matrix

from featx import load_dataset
from featx.jobs.model_files import load_model


@pytest.fixture
def mixed(photos):
    """Move two images into the folder of the other class."""
    for index in ("01", "03"):
        (photos / "field" / f"{index}.png").rename(photos / "city" / f"{index}.png")
    return photos


def test_json(featx, model, damaged, mixed):
    run = featx("evaluate", mixed, "--model", model, "--json")
    paths, labels = load_dataset(mixed)
    kept = [i for i, path in enumerate(paths) if path.removeprefix(f"{mixed}/") not in damaged]
    truth = labels[kept]
    predicted = load_model(model).predict([paths[i] for i in kept])
    assert run.code == 0
    assert json.loads(run.out) == {
        "n": 12,
        "accuracy": accuracy_score(truth, predicted),
        "balanced_accuracy": pytest.approx(balanced_accuracy_score(truth, predicted)),
        "classes": ["city", "field"],
        "confusion": confusion_matrix(truth, predicted).tolist(),
        "refused": [
            {"path": f"{mixed}/{name}", "reason": reason, "detail": detail}
            for name, (reason, detail) in damaged.items()
        ],
    }


@pytest.mark.parametrize("strict", [False, True])
def test_printed(featx, model, photos, damaged, refused_lines, strict):
    run = featx("evaluate", photos, "--model", model, *(["--strict"] if strict else []))
    paths = [str(path) for path in sorted(photos.glob("*/[0-9][0-9].png"))]
    predicted = load_model(model).predict(paths)
    labels = ["city"] * 6 + ["field"] * 6
    (a, b), (c, d) = confusion_matrix(labels, predicted).tolist()
    share = accuracy_score(labels, predicted)
    assert run.code == int(strict)
    assert run.out == (
        f"accuracy {share:.1%}, balanced {share:.1%}, on 12 images; rows: true class, "
        f"columns: prediction\ncity {a:7d}{b:7d}\nfield{c:7d}{d:7d}\n"
    )
    assert run.err == "15 images\n" + refused_lines


def test_labels(featx, model, photos):
    (photos / "field").rename(photos / "meadow")
    run = featx("evaluate", photos, "--model", model)
    assert (run.code, run.out, run.err) == (
        1,
        "",
        f"featx: {model}: has no class 'meadow', only 'city', 'field'. Merge or select classes "
        "with labels, such as city=meadow.\n",
    )
    options = ["--labels", "city=city", "--labels", "field=meadow", "--json"]
    run = featx("evaluate", photos, "--model", model, *options)
    assert run.code == 0
    assert json.loads(run.out)["n"] == 12


def test_images_of_one_class(featx, model, photos):
    run = featx("evaluate", photos, "--model", model, "--labels", "city=city", "--json")
    assert run.code == 0
    assert run.err == "6 images\n"
    found = json.loads(run.out)
    assert found["balanced_accuracy"] == found["accuracy"]
    assert found["confusion"][1] == [0, 0]


def test_no_classes(featx, model, photos):
    run = featx("evaluate", photos / "city", "--model", model)
    assert (run.code, run.out, run.err) == (
        2,
        "",
        f"featx: {photos}/city: none of the 6 images has a label. Put the images of each class "
        "into its own subfolder.\n",
    )
