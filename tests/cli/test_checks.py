"""Typical mistakes at the command line, each with its message."""

import os

import numpy as np
import pytest
from PIL import Image

PREDICT = "featx predict photos --model model.skops --out predictions.csv"
COMPARE = "featx compare photos --recipe hog-svm --recipe gist-svm --out report"
EXTRACT = "featx extract photos --recipe hog-svm --out features"
KNOWN_MODEL = "Name a file written by featx train, such as model.skops."


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Write folders of images, a table, a model and a folder of features."""
    top = tmp_path_factory.mktemp("world")
    rng = np.random.default_rng(0)
    folders = {"scenes": ["beach", "alley", "skyscraper"], "pair": ["town", "shore"]}
    folders |= {"single": ["town"]}
    for folder, labels in folders.items():
        for label in labels:
            (top / folder / label).mkdir(parents=True)
            for index in range(4):
                image = rng.integers(0, 60, (32, 40), np.uint8)
                image += rng.integers(0, 190, (1, 40) if label == "town" else (32, 1), np.uint8)
                Image.fromarray(image).save(top / folder / label / f"{index}.jpg")
    for name in ("unlabeled", "void", "texts", "busy"):
        (top / name).mkdir()
    for index in range(4):
        image = top / "pair" / "town" / f"{index}.jpg"
        (top / "unlabeled" / image.name).write_bytes(image.read_bytes())
    (top / "texts" / "readme.txt").write_text("text")
    (top / "busy" / "notes.txt").write_text("text")
    (top / "table.csv").write_text("path,label\n")
    (top / "settings.json").write_text("{}")
    (top / "old.pkl").write_bytes(b"\x80\x04.")
    return top


@pytest.fixture
def run(featx, world, monkeypatch):
    """Return a function that runs a command line in the folder, with a model and features."""
    monkeypatch.chdir(world)
    if not (world / "lines.skops").exists():
        assert featx("train", "pair", "--recipe", "edges-alone", "--out", "lines.skops").code == 0
        assert featx("extract", "pair", "--recipe", "hog-svm", "--out", "feats").code == 0
    return lambda line: featx(*line.split())


def here(name):
    return f"{name} is looked for from the current folder, {{cwd}}."


MISTAKES = [
    (
        "extract scenesx --recipe hog-svm --out o",
        "scenesx: no such folder or file. Did you mean scenes?",
    ),
    (
        "extract sounds --recipe which-note --out o",
        f"sounds: no such folder or file. {here('IMAGES')}",
    ),
    ("extract void --recipe hog-svm --out o", "void: has no files in it. Name a folder of images."),
    (
        r"extract C:\Users\me\photos --recipe hog-svm --out o",
        r"C:\Users\me\photos: no such folder or file. It is written as on Windows; write it as "
        "here, such as /home/me/photos.",
    ),
    (
        "extract /nowhere/x.csv --recipe hog-svm --out o",
        "/nowhere/x.csv: no such folder or file. The folder /nowhere does not exist either.",
    ),
    (
        "extract scenes/*.tif --recipe hog-svm --out o",
        "scenes/*.tif: no file matches this pattern. Write * for any name, and ** for folders at "
        "any depth.",
    ),
    (
        "extract scenes15 --recipe hog-svm --out o",
        "scenes15: no such folder or file. It is the name of a data set: featx datasets show "
        "scenes15 describes it.",
    ),
    (
        "extract pair hog-svm --out o",
        "hog-svm: no such folder or file. It is the name of a recipe: write --recipe hog-svm.",
    ),
    (
        "extract - pair --recipe hog-svm --out o",
        "-: cannot be combined with other IMAGES. Put all paths in the list.",
    ),
    (
        "extract pair --recipe hogsvm --out o",
        "--recipe hogsvm: no such recipe or file. Did you mean hog-svm?",
    ),
    (
        "extract pair --recipe pair --out o",
        "--recipe pair: is a folder. Name a recipe, or a YAML file.",
    ),
    (
        "extract pair --recipe lines.skops --out o",
        "--recipe lines.skops: is a model, not a recipe. Use --model where it is needed.",
    ),
    (
        "extract pair --recipe pair/town/0.jpg --out o",
        "--recipe pair/town/0.jpg: is an image, not a recipe. Name a recipe, or a YAML file.",
    ),
    (
        "compare pair --recipe edges-alone --recipe edges-alone --out o",
        "--recipe edges-alone: two recipes have the name edges-alone. Name each once, or rename "
        "one.",
    ),
    (
        "compare pair --recipe hog-svm --labels city=twn --out o",
        "--labels city=twn: no image has the class 'twn'. Did you mean town?",
    ),
    (
        "compare scenes --recipe hog-svm --labels city=alley,skyscrapr --labels sea=beach --out o",
        "--labels city=alley,skyscrapr: no image has the class 'skyscrapr'. Did you mean "
        "skyscraper?",
    ),
    (
        "compare scenes --recipe hog-svm --labels city:alley --out o",
        "--labels city:alley: is not of the form NEW=OLD,OLD. Write it such as --labels "
        "city=alley.",
    ),
    (
        "compare scenes --recipe hog-svm --labels city= --out o",
        "--labels city=: is not of the form NEW=OLD,OLD. Write it such as --labels "
        "city=street,tower.",
    ),
    (
        "train scenes --recipe hog-svm --labels a=alley --labels b=alley --out m.skops",
        "--labels b=alley: class 'alley' is part of 'a' already. Name it once.",
    ),
    (
        "train unlabeled --recipe hog-svm --labels a=alley --out m.skops",
        "--labels a=alley: no image has the class 'alley'. These images have no classes.",
    ),
    (
        "train single --recipe edges-alone --out m.skops",
        "single: all 4 images are of one class, 'town'. Put the images of each class into a "
        "subfolder of its own.",
    ),
    (
        "compare single --recipe edges-alone --out o",
        "single: all 4 images are of one class, 'town'. Put the images of each class into a "
        "subfolder of its own.",
    ),
    (
        "compare pair --recipe edges-alone --out busy",
        "--out busy: exists already and is not empty. Remove it, or choose another name.",
    ),
    (
        "compare pair --recipe edges-alone --out table.csv",
        "--out table.csv: is a file. Name a folder, which is then made.",
    ),
    (
        "train pair --recipe hog-svm --out busy",
        "--out busy: is a folder. Name a file, such as busy/model.skops.",
    ),
    (
        "train pair --recipe hog-svm --out m.pkl",
        "--out m.pkl: does not end in .skops. Name it m.skops, for example.",
    ),
    (
        "train pair --recipe hog-svm --out new/m",
        "--out new/m: does not end in .skops. Name it new/m.skops, for example.",
    ),
    (
        "predict pair --model lines.skops --out answers.xlsx",
        "--out answers.xlsx: does not end in .csv or .parquet. Name it answers.csv, for example.",
    ),
    (
        "explain pair/town/0.jpg --recipe hog-svm --out x.pdf",
        "--out x.pdf: does not end in .png or .html. Name it x.png, for example.",
    ),
    (
        "find stop-sign pair --out hits.txt",
        "--out hits.txt: does not end in .csv or .parquet. Name it hits.csv, for example.",
    ),
    (
        "find stop-sign pair --out h.csv --pictures busy",
        "--pictures busy: exists already and is not empty. Remove it, or choose another name.",
    ),
    (
        "extract pair --recipe hog-svm --out busy",
        "--out busy: exists already and holds no features. Choose another name.",
    ),
    (
        "train pair --recipe hog-svm --out table.csv/m.skops",
        "--out table.csv/m.skops: cannot be written: a parent folder is a file.",
    ),
    (
        "compare pair --recipe hog-svm --out o --cache table.csv",
        "--cache table.csv: is not a folder. Name a folder.",
    ),
    (
        "predict pair --model none.skops --out a.csv",
        f"--model none.skops: no such file. {KNOWN_MODEL}",
    ),
    (
        "predict pair --model line.skops --out a.csv",
        "--model line.skops: no such file. Did you mean lines.skops?",
    ),
    ("predict pair --model table.csv --out a.csv", f"--model table.csv: is a table. {KNOWN_MODEL}"),
    (
        "predict pair --model settings.json --out a.csv",
        f"--model settings.json: is a JSON file. {KNOWN_MODEL}",
    ),
    (
        "predict pair --model feats --out a.csv",
        f"--model feats: is a folder, not a model. {KNOWN_MODEL}",
    ),
    (
        "evaluate pair --model old.pkl",
        f"--model old.pkl: is a pickle, which featx does not load. {KNOWN_MODEL}",
    ),
    (
        "predict pair --model hog-svm --out a.csv",
        "--model hog-svm: is a recipe, not a model. Fit it first: featx train IMAGES --recipe "
        "hog-svm --out hog-svm.skops",
    ),
    (
        "extract pair --recipe hog-svm --out o --workers 2",
        "--workers: featx extract has no such option. Did you mean --jobs?",
    ),
    (
        "compare pair --recipes edges-alone --out o",
        "--recipes: featx compare has no such option. Did you mean --recipe?",
    ),
    (
        "extract pair --n_jobs 2 --out o",
        "--n_jobs: featx extract has no such option. Did you mean --jobs?",
    ),
    (
        "predict pair --recipe hog-svm --out a.csv",
        "--recipe: featx predict has no such option. Did you mean --model?",
    ),
    (
        "predict pair --bogus --out a.csv",
        "--bogus: featx predict has no such option. Known: --model, --out, --plugin, --jobs, "
        "--json, --quiet, --strict, --help.",
    ),
    (
        "compare pair --recipe edges-alone --test scenes --out o",
        "--test scenes: has images of class 'alley', but IMAGES has only 'shore', 'town'. Merge or "
        "select classes with --labels.",
    ),
    (
        "extract pair --recipe mine.yaml --out o",
        "--recipe mine.yaml: no such recipe or file. It is looked for from the current folder, "
        "{cwd}.",
    ),
    (
        "train pair --recipe lenet-5 --out m.skops --checkpoint busy",
        "--checkpoint busy: is a folder. Name a file, such as busy/training.pt.",
    ),
    ("extract pair -o features", "-o: featx extract has no such option. Did you mean --out?"),
    (
        "recipes show hog-svm --size 3",
        "--size: featx recipes show has no such option. Known: --plugin, --help.",
    ),
    (
        "extract pair --recipe hog-svm --out o --jobs 0",
        "--jobs 0: is out of range. Choose 1 or more, or -1 for one per processor.",
    ),
    (
        "find stop-sign pair --out h.csv --jobs -2",
        "--jobs -2: is out of range. Choose 1 or more, or -1 for one per processor.",
    ),
    (
        "extract pair --recipe hog-svm --out o --jobs two",
        "--jobs two: is not a whole number. Write digits only, such as 4.",
    ),
    (
        "extract pair --recipe hog-svm --out o --timeout 0",
        "--timeout 0: is out of range. Choose a number from 0.001 to 1000000.",
    ),
    (
        "find stop-sign pair --out h.csv --threshold 5",
        "--threshold 5: is out of range. Choose a number from 0 to 1.",
    ),
    (
        "find stop-sign pair --out h.csv --threshold 0,5",
        "--threshold 0,5: is not a number. Write it with a point, such as 0.5.",
    ),
    (
        "find stop-sign pair --out h.csv --threshold nan",
        "--threshold nan: is out of range. Choose a number from 0 to 1.",
    ),
    (
        "find stop-sign pair --out h.csv --size 0",
        "--size 0: is out of range. Choose a number of at least 1.",
    ),
    (
        "find stop-sign pair --out h.csv --side 0",
        "--side 0: is out of range. Choose a number of at least 1.",
    ),
    (
        "compare pair --recipe edges-alone --out o --folds 1",
        "--folds 1: is out of range. Choose a number of at least 2.",
    ),
    (
        "compare pair --recipe edges-alone --out o --folds 200",
        "--folds 200: no class has this many images. The largest, 'shore', has 4: choose at most "
        "4.",
    ),
    (
        "compare pair --recipe edges-alone --out o --repeats 0",
        "--repeats 0: is out of range. Choose a number of at least 1.",
    ),
    (
        "compare pair --recipe edges-alone --out o --seed -1",
        "--random-state -1: is out of range. Choose a number from 0 to 4294967295.",
    ),
    (
        "datasets make --out o --size 10 10",
        "--size 10: is out of range. Choose a number of at least 64.",
    ),
    ("datasets make --out o --n 1", "--n 1: is out of range. Choose a number of at least 2."),
    (
        "datasets make --out o --size 100",
        "--size: needs 2 values. For example: featx datasets make --out scenes --n 100",
    ),
    ("demo --n 3", "--n 3: is out of range. Choose a number of at least 20."),
    (
        "explain pair --recipe hog-svm --out x.png",
        "pair: is a folder. Name image files, such as pair/shore/0.jpg.",
    ),
    (
        "explain none.jpg --recipe hog-svm --out x.png",
        f"none.jpg: no such file. {here('IMAGE')}",
    ),
    (
        "explain pair/town/0.jpg --out x.png",
        "explain: --recipe and --model are both missing. Give one of them.",
    ),
    (
        "explain pair/town/0.jpg --recipe hog-svm --model lines.skops --out x.png",
        "explain: --recipe and --model exclude each other. Give one of them.",
    ),
    (
        "explain pair/town/0.jpg --recipe hog-svm --among pair --out x.png",
        "--among: needs a --unit. For example: --unit _fc:130",
    ),
    (
        "explain pair/town/0.jpg --recipe hog-svm --unit 3 --out x.png",
        "--unit 3: is not of the form LAYER:NUMBER. Write it such as --unit _fc:130.",
    ),
    (
        "find logo.png pair --out h.csv",
        "logo.png: no such file. PATTERN is an image file, or stop-sign.",
    ),
    ("find stopsign pair --out h.csv", "stopsign: no such file. Did you mean stop-sign?"),
    (
        "find pair stop-sign --out h.csv",
        "pair: is a folder. PATTERN is an image file, or stop-sign.",
    ),
    ("compare --recipe edges-alone --out o", f"compare: IMAGES is missing. For example: {COMPARE}"),
    ("compare pair --out o", f"compare: --recipe is missing. For example: {COMPARE}"),
    ("predict pair --out a.csv", f"predict: --model is missing. For example: {PREDICT}"),
    ("extract pair --recipe hog-svm --out", f"--out: needs a value. For example: {EXTRACT}"),
    (
        "extract pair --recipe --out o",
        "--recipe: its value is missing, and --out follows. Write --recipe VALUE --out.",
    ),
    (
        "extract pair --recipe hog-svm --out o --json=1",
        f"--json: takes no value. For example: {EXTRACT}",
    ),
    (
        "recipes show hog-svm gist-svm",
        "gist-svm: featx recipes show takes no such argument. For example: featx recipes show "
        "hog-svm",
    ),
    ("comapre pair", "comapre: featx has no such command. Did you mean compare?"),
    ("recipes lst", "lst: featx recipes has no such command. Did you mean list?"),
    ("datasets show scene8", "scene8: no such data set. Did you mean scenes8?"),
    ("recipes show hog", "hog: no such recipe or file. Did you mean hog-svm?"),
    ("recipes check hog-smv", "hog-smv: no such recipe or file. Did you mean hog-svm?"),
]


@pytest.mark.parametrize(("line", "message"), MISTAKES, ids=[line for line, _ in MISTAKES])
def test_usage_error(run, world, line, message):
    before = sorted(world.rglob("*"))
    found = run(line)
    expected = message.replace("{cwd}", os.getcwd())
    assert (found.code, found.out, found.err) == (2, "", f"featx: {expected}\n")
    assert sorted(world.rglob("*")) == before


def test_models_and_features_that_do_not_fit(run):
    found = run("evaluate scenes --model lines.skops")
    assert (found.code, found.out) == (1, "")
    assert found.err == (
        "featx: lines.skops: has no class 'alley', only 'shore', 'town'. Merge or select classes "
        "with labels, such as shore=alley.\n"
    )
    found = run("extract pair --recipe gist-svm --out feats")
    assert (found.code, found.out) == (1, "")
    assert found.err.startswith("featx: feats: ")
    assert found.err.endswith(" Choose another folder.\n")


def test_swapped_classes(run):
    found = run("evaluate pair --model lines.skops --labels shore=town --labels town=shore")
    assert found.code == 0
    assert found.out.startswith("accuracy 0.0%, balanced 0.0%, on 8 images")


def test_several_places_are_read_as_one(run, featx, world):
    files = sorted(str(path.relative_to(world)) for path in world.glob("pair/*/*.jpg"))
    options = ["--recipe", "edges-alone", "--out"]
    assert featx("extract", *files, *options, "several").out == (
        "several: 1 features of 8 images, 0 rejected\n"
    )
    # Folders that a shell expanded from pair/* are the classes.
    found = featx("train", "pair/shore", "pair/town", files[0], *options, "several.skops")
    assert found.out == "several.skops: fitted on 8 images (shore 4, town 4)\n"
    found = featx("predict", *files[:3], "--model", "several.skops", "--out", "several.csv")
    assert found.out.startswith("several.csv: 3 images (")


def test_a_pattern_for_explain(run):
    found = run("explain pair/*/0.jpg --recipe edges-alone --out several.html")
    assert (found.code, len(found.out.splitlines())) == (0, 2)


def test_folders_of_other_files(run):
    found = run("extract texts --recipe hog-svm --out o")
    assert (found.code, found.out) == (1, "")
    assert "The first: texts/readme.txt: not-an-image: " in found.err
    found = run("train unlabeled --recipe edges-alone --out m.skops")
    assert (found.code, found.out) == (2, "")
    assert found.err.startswith("featx: unlabeled: none of the 4 images has a label. ")
