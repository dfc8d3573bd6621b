import cv2
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from featx import Grayscale, LocalContrast, PatternMatch, Sobel, Summarize, make_scenes
from featx.core.errors import OutputError
from featx.datasets.scenes.generation import draw_scene, write_scenes


@pytest.fixture(scope="module")
def scenes():
    return make_scenes(400)


@pytest.fixture(scope="module")
def gray(scenes):
    return Grayscale().fit_transform(scenes[0])


def accuracy(numbers, labels, classifier=None):
    """Per cent of the images that numbers alone put into the right class."""
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    pipeline = make_pipeline(StandardScaler(), classifier or LogisticRegression())
    numbers = np.asarray(numbers, np.float64).reshape(len(labels), -1)
    return 100 * cross_val_score(pipeline, numbers, labels, cv=folds).mean()


@pytest.mark.parametrize("axis", ["vertical", "horizontal", "magnitude"])
def test_how_much_edge_there_is_does_not_tell_a_city(scenes, gray, axis):
    edges = Summarize(["mean_absolute"]).fit_transform(Sobel(axis).fit_transform(gray))
    labels = scenes[1]
    assert accuracy(edges, labels) <= 60
    assert accuracy(edges, labels, DecisionTreeClassifier(max_depth=1)) <= 65
    assert accuracy(edges, labels, GaussianNB()) <= 65
    city, landscape = (edges[labels == label].mean() for label in ("city", "landscape"))
    assert landscape > 0.95 * city


def trivial(images, gray):
    images = images.astype(np.float64) / 255
    means, variances = images.mean(axis=(1, 2)), images.var(axis=(1, 2))
    return {
        "mean of gray": gray.mean(axis=(1, 2, 3)),
        "variance of gray": gray.var(axis=(1, 2, 3)),
        "standard deviation of gray": gray.std(axis=(1, 2, 3)),
        "mean of red": means[:, 0],
        "mean of green": means[:, 1],
        "mean of blue": means[:, 2],
        "means": means,
        "variances": variances,
        "means and variances": np.hstack([means, variances]),
    }


def test_no_mean_and_no_variance_tells_a_city(scenes, gray):
    images, labels = scenes
    for name, numbers in trivial(images, gray).items():
        assert accuracy(numbers, labels) <= 65, name
        assert accuracy(numbers, labels, GaussianNB()) <= 65, name


def test_long_vertical_lines_tell_a_city(scenes, gray):
    lines = make_pipeline(PatternMatch(length=31, orientation=90), Summarize(["mean_square"]))
    edges = Sobel("vertical").fit_transform(gray)
    energy = lines.fit_transform(edges)
    unit = LocalContrast(size=None, subtract_mean=False).fit_transform(edges)
    ratio = lines.fit_transform(unit)
    assert 75 <= accuracy(energy, scenes[1]) <= 90
    assert 88 <= accuracy(ratio, scenes[1]) <= 97


def test_shapes_and_balance():
    images, labels = make_scenes(5, size=(64, 97))
    assert images.shape == (5, 64, 97, 3)
    assert images.dtype == np.uint8
    assert sorted(labels.tolist()[:4]) == ["city", "city", "landscape", "landscape"]
    assert set(labels.tolist()) == {"city", "landscape"}


def test_classes_are_shuffled():
    _, labels = make_scenes(40, size=(64, 64))
    firsts = labels[::2].tolist()
    assert 4 <= firsts.count("city") <= 16


def test_fewer_images_are_the_first_of_more():
    images, labels = make_scenes(9, size=(80, 64), random_state=3)
    fewer, their_labels = make_scenes(4, size=(80, 64), random_state=3)
    np.testing.assert_array_equal(fewer, images[:4])
    np.testing.assert_array_equal(their_labels, labels[:4])


def test_images_differ():
    images, _ = make_scenes(12, size=(64, 64))
    others, _ = make_scenes(12, size=(64, 64), random_state=1)
    assert len({image.tobytes() for image in [*images, *others]}) == 24


@pytest.mark.parametrize("label", ["city", "landscape"])
@pytest.mark.parametrize("size", [(64, 64), (64, 300), (300, 64), (512, 384)])
def test_every_size_is_filled(label, size):
    rng = np.random.default_rng(0)
    for _ in range(8):
        image = draw_scene(label, size, rng)
        assert image.shape == (*size, 3)
        assert image.std() > 15


def test_written_scenes_are_those_that_are_made(tmp_path):
    steps = []
    write_scenes(tmp_path / "scenes", 5, (64, 72), random_state=2, progress=steps.append)
    images, labels = make_scenes(5, (64, 72), random_state=2)
    assert steps == [1, 2, 3, 4, 5]
    files = sorted((tmp_path / "scenes").glob("*/*"), key=lambda file: file.name)
    assert [file.name for file in files] == [f"{index:04}.png" for index in range(5)]
    assert [file.parent.name for file in files] == labels.tolist()
    for file, image in zip(files, images, strict=True):
        np.testing.assert_array_equal(cv2.imread(str(file))[..., ::-1], image)


def test_a_folder_in_use_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(OutputError) as error:
        write_scenes(tmp_path, 2, (64, 64))
    assert str(error.value) == (
        f"{tmp_path}: already exists and is not an empty folder. Remove it, or choose another name."
    )
    assert [file.name for file in tmp_path.iterdir()] == ["notes.txt"]


def test_nothing_is_left_half_written(tmp_path):
    def stop(count):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_scenes(tmp_path / "scenes", 2, (64, 64), progress=stop)
    assert list(tmp_path.iterdir()) == []


SIZE = (
    "The 'size' parameter of make_scenes must be a list or tuple of 2 items, each an int in the "
    "range [64, inf). Got {} instead."
)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"n": 0},
            "The 'n' parameter of make_scenes must be an int in the range [1, inf). Got 0 instead.",
        ),
        (
            {"random_state": -1},
            "The 'random_state' parameter of make_scenes must be an int in the range [0, inf). "
            "Got -1 instead.",
        ),
        (
            {"random_state": None},
            "The 'random_state' parameter of make_scenes must be an int in the range [0, inf). "
            "Got None instead.",
        ),
        ({"size": (63, 64)}, SIZE.format("(63, 64)")),
        ({"size": 64}, SIZE.format("64")),
        ({"size": (64.0, 64.0)}, SIZE.format("(64.0, 64.0)")),
    ],
)
def test_arguments(arguments, message):
    with pytest.raises(ValueError) as error:
        make_scenes(**{"n": 1, **arguments})
    assert str(error.value) == message


def test_arguments_of_one_scene():
    with pytest.raises(ValueError) as error:
        draw_scene("village", (64, 64), np.random.default_rng(0))
    assert str(error.value) == (
        "The 'label' parameter of draw_scene must be a str among {'city', 'landscape'}. "
        "Got 'village' instead."
    )
    with pytest.raises(ValueError) as error:
        draw_scene("city", (64, 64), 0)
    assert str(error.value) == (
        "The 'rng' parameter of draw_scene must be an instance of "
        "'numpy.random._generator.Generator'. Got 0 instead."
    )


def test_processes_write_the_same_files(tmp_path):
    counts = []
    write_scenes(tmp_path / "one", 101, (64, 64), 3)
    write_scenes(tmp_path / "two", 101, (64, 64), 3, counts.append, n_jobs=2)
    assert counts == [*range(1, 102)]
    files = {file.relative_to(tmp_path / "one") for file in (tmp_path / "one").glob("*/*")}
    assert len(files) == 101
    assert {file.relative_to(tmp_path / "two") for file in (tmp_path / "two").glob("*/*")} == files
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
