import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestCentroid
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC

from featx import Sobel, Stream, Summarize, load_recipe
from featx.core.errors import ModelError
from featx.pipeline.fitting import class_scores, split


def message(function, *arguments, kind=ModelError, **keywords):
    with pytest.raises(kind) as error:
        function(*arguments, **keywords)
    return str(error.value)


class TestSplit:
    def test_a_recipe(self):
        pipeline = load_recipe("vertical-lines")
        pipeline[0].set_params(chunk_size=7, n_jobs=2)
        fixed, steps = split(pipeline)
        assert [*fixed.stages] == [*pipeline[0].stages]
        assert (fixed.chunk_size, fixed.n_jobs) == (7, 2)
        assert steps == [*pipeline[1:]]

    def test_a_stage_that_learns(self):
        stages = [Sobel(), Summarize(), PCA(1), StandardScaler()]
        fixed, steps = split(make_pipeline(Stream(stages, chunk_size=3), LinearSVC()))
        assert fixed.stages == stages[:2]
        assert isinstance(steps[0], Stream)
        assert steps[0].stages == stages[2:]
        assert steps[0].chunk_size == 3
        assert isinstance(steps[1], LinearSVC)
        assert len(steps) == 2

    def test_no_stream(self):
        assert message(split, make_pipeline(LinearSVC())) == (
            "The first step of the pipeline must be a Stream, got LinearSVC()."
        )


@pytest.mark.parametrize(
    "classifier", [NearestCentroid(metric="manhattan"), SVC(decision_function_shape="ovo")]
)
def test_scores_of_classifiers_without_a_score_for_each_class(classifier):
    rng = np.random.default_rng(0)
    vectors, labels = rng.normal(size=(60, 3)), np.array([*"abcd"])[np.arange(60) % 4]
    model = make_pipeline(classifier).fit(vectors, labels)
    kind, scores = class_scores(model, vectors)
    assert scores.shape == (60, 4)
    if kind == "score":
        # Four classes have six pairs.
        np.testing.assert_array_equal(
            scores, (np.array([*"abcd"]) == model.predict(vectors)[:, np.newaxis]).astype(float)
        )
    else:
        np.testing.assert_array_equal(scores, model.predict_proba(vectors))
