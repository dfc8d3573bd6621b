import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from featx import HOG, LBP, SpatialPyramid, Stream
from featx.evaluation.comparison import compare
from featx.report.evidence import Cell, cells, contributions, heat, obstacle


def drawn(count=60, classes=2):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 200, (count, 32, 32, 1), np.uint8)
    places = np.arange(count) % classes
    for place in range(classes):
        # Each class has its own bright quarter.
        row, column = divmod(place, 2)
        images[places == place, 16 * row : 16 * row + 16, 16 * column : 16 * column + 16] += 55
    return images, np.array([*"abcd"])[places]


def test_cells_of_hog():
    images, _ = drawn(2)
    for stage in (HOG(pixels_per_cell=(8, 8)), HOG(pixels_per_cell=(8, 8), variant="uoctti")):
        stage.fit(images)
        names = stage.get_feature_names_out().tolist()
        parts = cells(names)
        shape = {(part.top, part.left) for part in parts}
        inner = len({top for top, _ in shape})
        assert len(shape) == inner**2
        assert parts[0] == Cell(0, 0, 1 / inner, 1 / inner)
        assert parts[-1].bottom == parts[-1].right == 1
    # The first cell of the second block is the second cell of the first block.
    hog = HOG(pixels_per_cell=(8, 8), cells_per_block=(2, 2), orientations=1).fit(images)
    parts = cells(hog.get_feature_names_out().tolist())
    assert parts[4] == parts[1] == Cell(0, 0.25, 0.25, 0.5)


def test_cells_of_a_pyramid():
    images, _ = drawn(2)
    names = SpatialPyramid([(1, 1), (2, 4)]).fit(images).get_feature_names_out().tolist()
    parts = cells(names)
    assert parts[0] == Cell(0, 0, 1, 1)
    assert parts[1] == Cell(0, 0, 0.5, 0.25)
    assert parts[-1] == Cell(0.5, 0.75, 1, 1)


@pytest.mark.parametrize("names", [[], ["gray_mean"], ["gray_1x1_0_0"]])
def test_names_without_a_region(names):
    assert cells(names) is None


def test_heat():
    parts = [Cell(0, 0, 0.5, 1), Cell(0.5, 0, 1, 0.5), Cell(0, 0, 1, 1)]
    drawn = heat(np.array([8.0, -4.0, 16.0]), parts, side=4)
    expected = np.ones((4, 4))
    expected[:2] += 1
    expected[2:, :2] -= 1
    np.testing.assert_allclose(drawn, expected)
    assert drawn.sum() == pytest.approx(20)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("last", [LinearSVC(), LogisticRegression()])
def test_contributions_equal_the_formula(classes, last):
    images, labels = drawn(60, classes)
    stream = Stream([SpatialPyramid([2])])
    comparison = compare({"mean": make_pipeline(stream, StandardScaler(), last)}, images, labels)
    result = comparison["mean"]
    assert len(result.weights) == 5
    vectors = stream.transform(images)
    for place in (0, 17, 44):
        train = comparison.folds != comparison.folds[place]
        model = make_pipeline(StandardScaler(), last).fit(vectors[train], labels[train])
        weights = model[-1].coef_ / model[0].scale_
        if classes == 2:
            weights = np.concatenate([-weights, weights])
        answer = comparison.classes.index(result.predictions[place])
        expected = (weights[answer] - weights.mean(axis=0)) * (
            vectors[place] - vectors.mean(axis=0)
        )
        found = contributions(comparison, result, place)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_the_bright_quarter_contributes_most():
    images, labels = drawn()
    stream = Stream([SpatialPyramid([2])])
    comparison = compare({"mean": make_pipeline(stream, LinearSVC())}, images, labels)
    result = comparison["mean"]
    right = np.flatnonzero(result.predictions == labels)
    spoke = np.mean([contributions(comparison, result, place) for place in right], axis=0)
    assert set(np.argsort(-spoke)[:2].tolist()) == {0, 1}


def test_obstacles():
    images, labels = drawn()
    stream = Stream([HOG(pixels_per_cell=(8, 8))])
    recipes = {
        "hog": make_pipeline(stream, StandardScaler(), LinearSVC()),
        "bayes": make_pipeline(stream, StandardScaler(), GaussianNB()),
        "components": make_pipeline(stream, PCA(3), LinearSVC()),
        "lbp": make_pipeline(Stream([LBP(method="default")]), LinearSVC()),
    }
    comparison = compare(recipes, images, labels, folds=2)
    said = {name: obstacle(comparison[name]) for name in recipes}
    assert said == {
        "hog": "",
        "bayes": "the scores of StandardScaler and GaussianNB are not linear in the features",
        "components": "the scores of PCA and LinearSVC are not linear in the features",
        "lbp": "the 256 features have no position in the image",
    }
