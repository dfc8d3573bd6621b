from hashlib import sha256
from math import sqrt
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, confusion_matrix
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from featx import (
    HOG,
    DenseSIFT,
    FisherVector,
    GramSVC,
    ReadImages,
    Sobel,
    SpatialPyramid,
    Stream,
    Summarize,
    load_dataset,
    load_recipe,
)
from featx.core.errors import ComparisonError, ModelError, RecipeError
from featx.evaluation import shared_features as gathering
from featx.evaluation.comparison import BASELINE, PIXELS, compare
from featx.evaluation.duplicates import content_hashes
from featx.report.comparison import as_data


def message(*arguments, kind=ComparisonError, **named):
    with pytest.raises(kind) as error:
        compare(*arguments, **named)
    return str(error.value)


def draw(count, size=32):
    """Return noise with stripes, vertical for one class in most images, and the labels."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (count, size, size, 1), np.uint8)
    labels = rng.permutation(np.where(np.arange(count) % 5 < 2, "city", "landscape"))
    odd = rng.random(count) < 0.2
    stripes = (images[:, :, :1] // 2 + 64, images[:, :1] // 2 + 64)
    for upright, stripe in zip((True, False), stripes, strict=True):
        chosen = ((labels == "landscape") ^ odd) == upright
        images[chosen] = images[chosen] // 4 + (stripe[chosen] * 0.75).astype(np.uint8)
    return images, labels


@pytest.fixture
def folder(tmp_path):
    """Write forty images, three duplicates of two of them, and three unreadable files."""
    images, labels = draw(40)
    order = [*range(40), 3, 3, 8]
    paths = [str(tmp_path / f"{position:02}.png") for position in range(len(order))]
    for path, index in zip(paths, order, strict=True):
        Image.fromarray(images[index, ..., 0]).save(path)
    paths += [str(tmp_path / name) for name in ("broken.png", "missing.png", "empty.png")]
    Path(paths[-3]).write_bytes(b"broken")
    Path(paths[-1]).write_bytes(b"")
    labels = np.concatenate([labels[order], ["city", "landscape", "city"]])
    # Shuffle, so that rejected files shift the indices of the others.
    order = np.random.default_rng(1).permutation(len(paths))
    return [paths[i] for i in order], labels[order]


def kept(folder):
    paths, labels = folder
    index = [i for i, path in enumerate(paths) if Path(path).name[0].isdigit()]
    return [paths[i] for i in index], labels[index]


def pipelines():
    """Return four pipelines by name; two have a trainable stage inside the stream."""
    reading = ReadImages(size=(16, 16), mode="gray")
    return {
        "hog": make_pipeline(
            Stream([reading, HOG(pixels_per_cell=(8, 8), cells_per_block=(1, 1))]),
            StandardScaler(),
            LinearSVC(random_state=0),
        ),
        "learned": make_pipeline(
            Stream([reading, SpatialPyramid(levels=[4]), StandardScaler()]), GaussianNB()
        ),
        "encoded": make_pipeline(
            Stream([reading, DenseSIFT(2, [4], root=True), FisherVector(4, n_components=8)]),
            GramSVC(),
        ),
        "edges": make_pipeline(
            Stream([reading, Sobel("both"), Summarize(statistics=["mean_absolute"])]),
            LogisticRegression(),
        ),
    }


def wilson(right, count, z=1.959963984540054):
    """Compute Wilson's interval by the formula of the paper."""
    share = right / count
    middle = share + z**2 / (2 * count)
    half = z * sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    return (middle - half) / (1 + z**2 / count), (middle + half) / (1 + z**2 / count)


def check_result(result, truth, predicted, classes):
    """Compare every metric of a result with scikit-learn and the formula."""
    assert result.predictions.tolist() == predicted.tolist()
    assert result.accuracy == np.mean(truth == predicted)
    low, high = wilson(int(np.sum(truth == predicted)), len(truth))
    assert (result.accuracy_low, result.accuracy_high) == pytest.approx((low, high), abs=1e-12)
    expected = balanced_accuracy_score(truth, predicted)
    assert result.balanced_accuracy == pytest.approx(expected, abs=1e-12)
    matrix = confusion_matrix(truth, predicted, labels=classes)
    assert result.confusion.tolist() == matrix.tolist()


@pytest.mark.parametrize("folds", [2, 5])
@pytest.mark.parametrize("seed", [0, 7])
def test_equals_a_loop_of_scikit_learn(folder, folds, seed):
    comparison = compare(pipelines(), *folder, folds=folds, random_state=seed)
    paths, labels = kept(folder)
    # Groups are sorted by hash, so that folds do not depend on the order of the files.
    groups = [sha256(Path(path).read_bytes()).hexdigest() for path in paths]
    divider = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    divisions = [*divider.split(paths, labels, groups)]
    assert comparison.protocol == f"{folds}-fold stratified cross-validation, seed {seed}"
    assert comparison.classes == ["city", "landscape"]
    assert comparison.images == paths
    assert comparison.labels.tolist() == labels.tolist()
    fold_of = np.zeros(len(paths), int)
    for fold, (_, test) in enumerate(divisions):
        fold_of[test] = fold
    assert comparison.folds.tolist() == fold_of.tolist()
    names = ["hog", "learned", "encoded", "edges"]
    assert [result.name for result in comparison.results] == [BASELINE, PIXELS, *names]
    assert [result.title for result in comparison.results[2:]] == names
    assert [result.dimensions for result in comparison.results] == [0, 3072, 36, 16, 64, 2]
    for result, pipeline in zip(comparison.results[2:], pipelines().values(), strict=True):
        predicted = cross_val_predict(pipeline, np.array(paths), labels, cv=divisions)
        check_result(result, labels, predicted, comparison.classes)
        assert result.folds == [np.mean(predicted[test] == labels[test]) for _, test in divisions]
        assert result.milliseconds_per_image > 0


def test_the_baseline(folder):
    baseline = compare(["edges-alone"], *folder, folds=3).results[0]
    _, labels = kept(folder)
    assert baseline.name == "larger-class"
    assert baseline.title == "Majority class"
    check_result(baseline, labels, np.full(len(labels), "landscape"), ["city", "landscape"])
    assert baseline.balanced_accuracy == 0.5
    assert baseline.dimensions == 0
    assert len(baseline.folds) == 3


def test_recipes_by_name_and_by_file(folder, tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text(
        "title: Mine\nsource: me\nsteps:\n  - ReadImages: {size: [16, 16], mode: gray}\n"
        "  - Sobel: {axis: both}\n  - Summarize: {statistics: [mean_absolute]}\n"
        "  - LogisticRegression\n"
    )
    comparison = compare(["edges-alone", file], *folder)
    by_pipeline = compare({"mine": load_recipe(file)}, *folder)
    assert [(result.name, result.title) for result in comparison.results[2:]] == [
        ("edges-alone", "Mean magnitude of vertical edges, logistic regression"),
        ("mine", "Mine"),
    ]
    mine = by_pipeline.results[2]
    assert comparison.results[3].predictions.tolist() == mine.predictions.tolist()
    # The result of a recipe does not depend on the other recipes.
    alone = compare(["edges-alone"], *folder).results[2]
    assert comparison.results[2].predictions.tolist() == alone.predictions.tolist()


def without_costs(comparison):
    """Return all results except the measured costs, as comparable data."""
    data = as_data(comparison)
    for result in data["recipes"].values():
        del result["cost"], result["milliseconds_per_image"]
    scores = [result.scores.tolist() for result in comparison.results]
    answers = [result.predictions.tolist() for result in comparison.results]
    return data, comparison.names, comparison.folds.tolist(), answers, repr(scores)


def test_deterministic_whatever_the_workers(folder):
    first = compare(pipelines(), *folder)
    assert without_costs(compare(pipelines(), *folder)) == without_costs(first)
    assert without_costs(compare(pipelines(), *folder, n_jobs=2)) == without_costs(first)


def test_the_given_pipelines_are_not_fitted(folder):
    given = pipelines()
    compare(given, *folder)
    for pipeline in given.values():
        assert not hasattr(pipeline[-1], "classes_")
    assert not hasattr(given["learned"][0].stages[-1], "mean_")


def test_folds_do_not_depend_on_the_order_of_the_files(folder):
    paths, labels = folder
    order = np.random.default_rng(2).permutation(len(paths))
    first = compare(["edges-alone"], paths, labels)
    second = compare(["edges-alone"], [paths[i] for i in order], labels[order])
    fold_of = dict(zip(second.images, second.folds.tolist(), strict=True))
    assert [fold_of[path] for path in first.images] == first.folds.tolist()


def test_refused_images(folder):
    comparison = compare(["edges-alone"], *folder)
    reasons = {"broken.png": "not-an-image", "missing.png": "missing", "empty.png": "empty"}
    expected = [
        (path, reasons[Path(path).name]) for path in folder[0] if Path(path).name in reasons
    ]
    assert [(one.path, one.reason) for one in comparison.refused] == expected


def test_images_unsuitable_for_a_stage_before_a_trainable_stage(folder):
    paths, labels = folder
    small = str(Path(paths[0]).with_name("small.png"))
    Image.fromarray(np.zeros((12, 40), np.uint8)).save(small)
    stages = [ReadImages(mode="gray"), DenseSIFT(2, [4]), FisherVector(4)]
    given = {"encoded": make_pipeline(Stream(stages), GramSVC())}
    comparison = compare(given, [small, *paths], ["city", *labels])
    assert comparison.refused[0].path == small
    assert comparison.refused[0].reason == "unsuitable"
    assert without_costs(comparison)[3:] == without_costs(compare(given, paths, labels))[3:]


def test_duplicates_are_kept_in_one_fold(folder):
    for seed in range(5):
        comparison = compare(["edges-alone"], *folder, random_state=seed)
        found = [sorted(Path(path).name for path in same) for same in comparison.duplicates]
        assert sorted(found) == [["03.png", "40.png", "41.png"], ["08.png", "42.png"]]
        fold_of = dict(zip(comparison.images, comparison.folds.tolist(), strict=True))
        for same in comparison.duplicates:
            assert len({fold_of[path] for path in same}) == 1


def copied(comparison):
    names = comparison.source_names
    return [(names[one], names[other], kind) for one, other, kind in comparison.copies]


def test_near_duplicates_are_kept_in_one_fold(folder, tmp_path):
    paths, labels = kept(folder)
    for index in range(8):
        image = Image.open(paths[index]).resize((80, 64))
        image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(tmp_path / f"near{index}.jpg")
        paths.append(str(tmp_path / f"near{index}.jpg"))
    labels = [*labels, *labels[:8]]
    comparison = compare(["edges-alone"], paths, labels, folds=3)
    near = [(one, other) for one, other, kind in copied(comparison) if kind == "mirrored picture"]
    assert set(zip(paths[:8], paths[-8:], strict=True)) <= set(near)
    fold_of = dict(zip(comparison.images, comparison.folds.tolist(), strict=True))
    for one, other in near:
        assert fold_of[one] == fold_of[other]


def test_images_as_arrays():
    images, labels = draw(40)
    batch = compare(pipelines(), images, labels)
    listed = compare(pipelines(), list(images), labels.tolist())
    for one, other in zip(batch.results, listed.results, strict=True):
        assert one.predictions.tolist() == other.predictions.tolist()
    assert batch.duplicates == []
    np.testing.assert_array_equal(np.stack(batch.images), images)
    stripes = compare(["vertical-lines"], images, labels).results[2]
    assert stripes.accuracy > 0.7


def test_labels_of_any_kind():
    images, labels = draw(30)
    numbers = (labels == "city").astype(int)
    comparison = compare(["edges-alone"], images, numbers)
    assert comparison.classes == ["0", "1"]
    assert comparison.labels.tolist() == [str(number) for number in numbers]


def test_three_classes():
    images, _ = draw(45)
    labels = np.array(["a", "b", "c"])[np.arange(45) % 3]
    comparison = compare(pipelines(), images, labels, folds=3)
    divider = StratifiedGroupKFold(3, shuffle=True, random_state=0)
    divisions = [*divider.split(images, labels, content_hashes(images))]
    for result, pipeline in zip(comparison.results[2:], pipelines().values(), strict=True):
        predicted = cross_val_predict(pipeline, images, labels, cv=divisions)
        check_result(result, labels, predicted, ["a", "b", "c"])


def test_a_test_set_equals_fitting_by_hand(folder, tmp_path):
    paths, labels = folder
    train, test = (paths[:26], labels[:26]), (paths[26:], labels[26:])
    named = {Path(path).name for path in paths[:26]}
    copies = [["03.png", "40.png", "41.png"], ["08.png", "42.png"]]
    for names in copies:  # keep duplicates on one side only
        for name in names:
            if name not in named:
                pixels = np.random.default_rng(int(name[:2])).integers(0, 256, (32, 32), np.uint8)
                Image.fromarray(pixels).save(tmp_path / name)
    comparison = compare(pipelines(), *train, test=test)
    (train_paths, train_labels), (test_paths, test_labels) = kept(train), kept(test)
    assert comparison.protocol == (
        f"{len(train_paths)} training images, {len(test_paths)} test images"
    )
    assert comparison.images == test_paths
    assert comparison.labels.tolist() == test_labels.tolist()
    assert comparison.folds.tolist() == [0] * len(test_paths)
    assert len(comparison.refused) == 3
    for result, pipeline in zip(comparison.results[2:], pipelines().values(), strict=True):
        predicted = pipeline.fit(train_paths, train_labels).predict(test_paths)
        check_result(result, test_labels, predicted, ["city", "landscape"])
        assert result.folds == []
    larger = np.full(len(test_paths), "landscape")
    check_result(comparison.results[0], test_labels, larger, ["city", "landscape"])


def test_a_test_set_of_one_class():
    images, labels = draw(40)
    only = np.flatnonzero(labels[20:] == "city") + 20
    comparison = compare(pipelines(), images[:20], labels[:20], (images[only], labels[only]))
    assert comparison.classes == ["city", "landscape"]
    for result, pipeline in zip(comparison.results[2:], pipelines().values(), strict=True):
        predicted = pipeline.fit(images[:20], labels[:20]).predict(images[only])
        assert result.predictions.tolist() == predicted.tolist()
        assert result.balanced_accuracy == result.accuracy == np.mean(predicted == "city")
        assert result.confusion.sum(axis=1).tolist() == [len(only), 0]


def test_duplicates_of_training_images_are_left_out_of_the_test_set(folder, tmp_path):
    paths, labels = kept(folder)
    near = str(tmp_path / "near.jpg")
    Image.open(paths[7]).resize((90, 90)).save(near)
    test = [paths[-1], paths[4], paths[5], near], labels[[-1, 4, 5, 7]]
    new = np.random.default_rng(9).integers(0, 256, (32, 32), np.uint8)
    Image.fromarray(new).save(paths[-1])
    comparison = compare(["edges-alone"], paths[:-1], labels[:-1], test)
    assert [comparison.source_names[i] for i in comparison.left_out] == [paths[4], paths[5], near]
    assert comparison.images == [paths[-1]]
    assert comparison.protocol == f"{len(paths) - 1} training images, 1 test images"
    named = [(paths[7], near, "same picture")]
    assert [copy for copy in copied(comparison) if near in copy] == named
    images, names = draw(20)
    assert message(["edges-alone"], images, names, (images[:2], names[:2])) == (
        "test: no test image is left. Left out as duplicates of training images: 2."
    )


def test_progress(folder):
    told = []
    compare(["edges-alone", "hog-svm"], *folder, progress=lambda *said: told.append(said))
    assert sum(count for step, count in told if step == "features") == len(folder[0])
    assert [(step, count) for step, count in told if step != "features"] == [
        (step, 0)
        for name in ("larger-class", "raw-pixels", "edges-alone", "hog-svm")
        for step in (name, *(f"{name}, fold {number} of 5" for number in range(1, 6)))
    ]


def test_printed(folder):
    comparison = compare(["edges-alone", "hog-svm"], *folder)
    lines = str(comparison).splitlines()
    assert lines[0] == "recipe        accuracy  95 % interval  ms/image  dimensions"
    for line, result in zip(lines[1:], comparison.results, strict=True):
        assert line.split() == [
            result.name,
            f"{result.accuracy:.1%}",
            *f"{result.accuracy_low:.1%}-{result.accuracy_high:6.1%}".split(),
            f"{result.milliseconds_per_image:.2f}",
            str(result.dimensions),
        ]
        assert len(line) == len(lines[0])


REFUSED = (
    "not-an-image: unknown image format. Supported formats: JPEG, PNG, GIF, TIFF, BMP, WebP and "
    "PPM/PGM/PBM."
)


class TestErrors:
    def test_no_recipe(self):
        images, labels = draw(10)
        for recipes in ([], {}, "hog-svm", Path("hog-svm")):
            assert message(recipes, images, labels) == (
                f"recipe={recipes!r} is not a list of recipes. Pass a list of at least one recipe."
            )

    def test_two_recipes_of_one_name(self):
        assert message(["hog-svm", "edges-alone", "hog-svm"], *draw(10)) == (
            "hog-svm: two recipes have this name. Rename one of them."
        )

    def test_no_such_recipe(self):
        assert message(["hog-smv"], *draw(10), kind=RecipeError) == (
            "hog-smv: no such recipe or file. Did you mean hog-svm?"
        )

    @pytest.mark.parametrize("steps", [[], [StandardScaler()]])
    def test_no_classifier(self, steps):
        pipeline = make_pipeline(Stream([Sobel(), Summarize()]), *steps)
        assert message({"mine": pipeline}, *draw(10)) == (
            "mine: the recipe has no classifier. Add one as its last step, such as LinearSVC."
        )

    def test_no_stream(self):
        pipeline = make_pipeline(StandardScaler(), GaussianNB())
        assert message({"mine": pipeline}, *draw(10), kind=ModelError) == (
            "The first step of the pipeline must be a Stream, got StandardScaler()."
        )

    def test_one_class(self):
        images, _ = draw(10)
        assert message(["hog-svm"], images, ["x"] * 10, kind=ModelError) == (
            "A classifier requires images of at least two classes, got only 'x'. Put the images "
            "of each class into its own subfolder."
        )

    def test_one_readable_class(self, tmp_path):
        Image.fromarray(np.zeros((32, 32), np.uint8)).save(tmp_path / "x.png")
        paths = [tmp_path / "x.png", tmp_path / "y.png"]
        end = "Put the images of each class into its own subfolder."
        for test in (None, (paths[:1], ["x"])):
            assert message(["hog-svm"], paths, ["x", "y"], test, kind=ModelError) == (
                "A classifier requires images of at least two classes, got only 'x'. " + end
            )

    def test_small_classes(self):
        images, _ = draw(7)
        labels = ["a"] * 3 + ["b"] * 4
        assert message(["hog-svm"], images, labels) == (
            "folds=5 needs a class of at least 5 distinct images, but the largest, 'b', has 4. Use "
            "fewer folds or more images."
        )

    def test_duplicates_count_once(self):
        images, labels = draw(20)
        images[:] = images[:2][(labels == "city").astype(int)]
        assert message(["hog-svm"], images, labels, folds=2) == (
            "folds=2 needs a class of at least 2 distinct images, but the largest, 'landscape', "
            "has 1. Use fewer folds or more images."
        )

    def test_lengths(self):
        images, labels = draw(10)
        assert message(["hog-svm"], images, labels[:9]) == (
            "labels: got 9 for 10 images. Pass one label per image."
        )
        assert message(["hog-svm"], images, labels, (images[:3], labels[:4])) == (
            "labels: got 4 for 3 images. Pass one label per image."
        )

    def test_unknown_classes(self):
        images, labels = draw(10)
        assert message(["hog-svm"], images, labels, (images[:2], ["city", "town"])) == (
            "test: class 'town' has no training images. The training classes are city, landscape."
        )

    def test_all_refused(self, tmp_path):
        paths = [str(tmp_path / f"{i}.png") for i in range(4)]
        for path in paths:
            Path(path).write_bytes(b"broken")
        assert message(["hog-svm"], paths, [*"abab"], folds=2) == (
            f"All 4 images were rejected. The first: {paths[0]}: {REFUSED}"
        )

    def test_no_test_images(self, tmp_path):
        images, labels = draw(10)
        paths = [str(tmp_path / f"{i}.png") for i in range(10)]
        for path, image in zip(paths, images, strict=True):
            Image.fromarray(image[..., 0]).save(path)
        broken = tmp_path / "broken.png"
        broken.write_bytes(b"broken")
        assert message(["hog-svm"], paths, labels, ([broken], ["city"])) == (
            f"test: no test image is left. The first rejected image: {broken}: {REFUSED}"
        )
        assert message(["hog-svm"], paths, labels, ([], [])) == "test: no test image is left."


def test_city_or_landscape(real_data):
    paths, labels = load_dataset("scenes8", "city-landscape", real_data)
    recipes = {
        "vertical-lines": 0.86,
        "vertical-line-ratio": 0.94,
        "line-energies": 0.96,
        "hog-svm": 0.96,
    }
    comparison = compare(
        ["edges-alone", *recipes], paths, labels, folds=5, random_state=0, n_jobs=-1
    )
    assert comparison.refused == []
    baseline, _, edges, *others = comparison.results
    assert baseline.accuracy == pytest.approx(0.603, abs=5e-4)
    assert edges.accuracy < 0.65
    assert all(result.accuracy >= recipes[result.name] for result in others)
    assert [result.dimensions for result in others[:2]] == [1, 1]


class TestProtocol:
    def test_repeated_folds(self, folder):
        once = [compare(pipelines(), *folder, folds=3, random_state=seed) for seed in (4, 5)]
        both = compare(pipelines(), *folder, folds=3, random_state=4, repeats=2)
        assert both.protocol == "3-fold stratified cross-validation, 2 repetitions, seed 4"
        assert both.folds.tolist() == once[0].folds.tolist()
        for result in both.results:
            one, other = (comparison[result.name] for comparison in once)
            assert result.folds == one.folds + other.folds
            assert result.predictions.tolist() == one.predictions.tolist()
            assert result.accuracy == pytest.approx((one.accuracy + other.accuracy) / 2)

    def test_raw_pixels_occur_once(self, folder):
        names = [result.name for result in compare(["edges-alone", PIXELS], *folder).results]
        assert names == [BASELINE, "edges-alone", PIXELS]

    def test_no_raw_pixels_without_pictures(self):
        maps = np.random.default_rng(0).random((20, 8, 8, 2), dtype=np.float32)
        given = {"mean": make_pipeline(Stream([Summarize(["mean"])]), GaussianNB())}
        comparison = compare(given, maps, ["a", "b"] * 10)
        assert [result.name for result in comparison.results] == [BASELINE, "mean"]
        assert not comparison.pictures

    def test_verdicts(self, folder):
        comparison = compare(pipelines(), *folder, folds=3)
        names = [result.name for result in comparison.results]
        assert len(comparison.verdicts) == len(names) * (len(names) - 1) / 2
        opposite = {"better": "worse", "worse": "better"}
        for (name, other), (said, p_values) in comparison.verdicts.items():
            assert comparison.verdict(name, other) == said
            assert comparison.verdict(other, name) == opposite.get(said, said)
            assert list(p_values)[::2] == ["mcnemar", "corrected_t"]
        assert comparison.verdict("hog", "none") == ""
        assert comparison["hog"].name == "hog"
        with pytest.raises(KeyError):
            comparison["none"]

    def test_a_recipe_that_fails_on_a_fold(self, folder):
        paths, labels = kept(folder)
        largest = np.bincount(compare(["edges-alone"], paths, labels).folds).max()
        neighbors = KNeighborsClassifier(len(paths) - largest + 1)
        given = pipelines() | {
            "failing": make_pipeline(pipelines()["edges"][0], neighbors),
            "broken": make_pipeline(pipelines()["edges"][0], KNeighborsClassifier(1000)),
        }
        comparison = compare(given, paths, labels)
        failing, broken = comparison["failing"], comparison["broken"]
        assert 0 < len(failing.failures) < 5
        assert all("n_neighbors" in failure for failure in failing.failures)
        assert comparison.remarks[-len(failing.failures) - 5] == (
            f"failing failed: {failing.failures[0]}"
        )
        assert np.isnan(failing.folds).sum() == len(failing.failures)
        answered = failing.predictions != ""
        assert failing.accuracy == np.mean((failing.predictions == labels)[answered])
        assert len(broken.failures) == 5
        assert np.isnan(broken.accuracy)
        assert broken.measures == {}
        assert str(comparison).splitlines()[-1] == "broken        failed"
        assert not any({"failing", "broken"} & {*pair} for pair in comparison.verdicts)
        others = compare(pipelines(), paths, labels)
        for result in others.results:
            assert comparison[result.name].predictions.tolist() == result.predictions.tolist()

    def test_a_class_of_one_image(self, folder):
        paths, labels = kept(folder)
        labels = labels.astype(object)
        labels[2] = "only"
        comparison = compare(pipelines(), paths, labels)
        assert comparison.remarks[0] == (
            "Class 'only' has 1 distinct image: no training image is left when it is tested, so "
            "its recall is 0."
        )
        assert all(result.failures == [] for result in comparison.results)
        place = comparison.classes.index("only")
        assert comparison["hog"].confusion[place].sum() == 1

    def test_two_hundred_classes(self):
        rng = np.random.default_rng(0)
        images = rng.integers(0, 256, (800, 8, 8, 1), np.uint8)
        labels = [f"class {i % 200}" for i in range(800)]
        given = {"mean": make_pipeline(Stream([SpatialPyramid([2])]), GaussianNB())}
        comparison = compare(given, images, labels, folds=2)
        assert len(comparison.classes) == 200
        assert comparison["mean"].confusion.shape == (200, 200)
        assert comparison.remarks[-1] == "195 more classes have fewer than 30 distinct images."

    def test_learning_curves(self, folder):
        comparison = compare(["edges-alone"], *folder, learning_curves=True)
        for result in comparison.results:
            assert len(result.learning_curve.images) == 5
            assert result.learning_curve.accuracy[-1] == pytest.approx(np.mean(result.folds))

    def test_tables(self, folder):
        comparison = compare(pipelines(), *folder, folds=3)
        hog = comparison["hog"]
        assert comparison.table.loc["hog", "accuracy"] == hog.accuracy
        assert comparison.table.loc["hog", "accuracy_low"] == hog.accuracy_low
        assert comparison.costs.loc["hog", "dimensions"] == 36
        assert len(comparison.pairs) == len(comparison.verdicts)
        assert comparison.answers["hog"].tolist() == hog.predictions.tolist()
        assert comparison.answers["image"].tolist() == comparison.names

    def test_costs(self, folder):
        comparison = compare(pipelines(), *folder, folds=3)
        for result in comparison.results[1:]:
            cost = result.cost
            assert cost.reading_milliseconds > 0
            assert cost.features_milliseconds > 0
            assert cost.classifier_milliseconds > 0
            assert cost.training_seconds > 0
            assert cost.model_bytes > 100


class TestCache:
    def test_results_are_the_same_with_and_without_a_cache(self, folder, tmp_path):
        expected = without_costs(compare(pipelines(), *folder))
        first = compare(pipelines(), *folder, cache=tmp_path / "cache")
        again = compare(pipelines(), *folder, cache=tmp_path / "cache")
        assert without_costs(first) == expected
        assert without_costs(again) == expected
        # The cache stores the measured costs.
        for result in first.results:
            assert again[result.name].cost == result.cost

    def test_only_new_features_are_computed(self, folder, tmp_path, monkeypatch):
        ran = []
        real = gathering.run_together

        def seen(streams, *arguments, **named):
            ran.append(len(streams))
            return real(streams, *arguments, **named)

        monkeypatch.setattr(gathering, "run_together", seen)
        some = {name: pipelines()[name] for name in ("hog", "learned")}
        compare(some, *folder, cache=tmp_path)
        compare(pipelines(), *folder, cache=tmp_path)
        compare(pipelines(), *folder, cache=tmp_path)
        assert ran == [4, 2]  # two recipes, thumbnails and raw pixels; then the other two recipes

    def test_other_folds_need_the_pixels_again(self, folder, tmp_path):
        compare(pipelines(), *folder, cache=tmp_path)
        expected = without_costs(compare(pipelines(), *folder, folds=3))
        assert without_costs(compare(pipelines(), *folder, folds=3, cache=tmp_path)) == expected

    def test_a_changed_file_is_computed_again(self, folder, tmp_path):
        compare(["edges-alone"], *folder, cache=tmp_path)
        paths, _ = kept(folder)
        Image.fromarray(np.random.default_rng(5).integers(0, 256, (32, 32), np.uint8)).save(
            paths[3]
        )
        expected = without_costs(compare(["edges-alone"], *folder))
        assert without_costs(compare(["edges-alone"], *folder, cache=tmp_path)) == expected

    def test_rejections_by_one_recipe_are_not_cached(self, folder, tmp_path):
        paths, labels = folder
        small = str(Path(paths[0]).with_name("small.png"))
        Image.fromarray(np.zeros((12, 40), np.uint8)).save(small)
        strict = make_pipeline(
            Stream([ReadImages(mode="gray"), DenseSIFT(2, [4]), FisherVector(4)]), GramSVC()
        )
        given = [small, *paths], ["city", *labels]
        compare({"strict": strict, "edges": pipelines()["edges"]}, *given, cache=tmp_path)
        alone = compare({"edges": pipelines()["edges"]}, *given, cache=tmp_path)
        assert small in alone.images
