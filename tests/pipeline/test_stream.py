import gc
import pickle
import threading
import warnings
from typing import ClassVar

import cv2
import numpy as np
import pandas
import pytest
import skops.io
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from sklearn import config_context
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import FeatureUnion, make_pipeline, make_union
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_info

from featx import HOG, AveragePool, GaussianBlur, ReadImages, Sobel, Stream, Summarize
from featx.core.descriptor_sets import DescriptorSet
from featx.core.errors import RefusedImage
from featx.core.stage import ImageStage
from featx.pipeline.stream import run_together


class Count(ImageStage):
    """Give the image, and count how often it is asked to."""

    def __init__(self, name="count"):
        self.name = name

    _parameter_constraints: ClassVar = {"name": [str]}
    lock: ClassVar = threading.Lock()
    calls: ClassVar = {}

    def _transform_one(self, image):
        with self.lock:
            self.calls[self.name] = self.calls.get(self.name, 0) + 1
        return image


class TakeMean(ImageStage):
    """Learn the mean image, and subtract it."""

    learns = True
    fits: ClassVar = []

    def _fit(self, images, y):
        images = list(images)
        self.fits.append(len(images))
        self.mean_ = np.mean(images, axis=0, dtype=np.float64).astype(np.float32)

    def _transform_one(self, image):
        return image - self.mean_


class Mean(ImageStage):
    """Give the mean as a vector; an image of a dark corner is unsuitable."""

    gives = "vectors"

    def _transform_one(self, image):
        if image[0, 0, 0] < 0:
            raise ValueError("Mean takes no dark corners.")
        return image.mean((0, 1))


class Listing(ImageStage):
    """Learn all images by heart."""

    learns = True

    def _fit(self, images, y):
        self.seen_ = np.stack([*images])

    def _transform_one(self, image):
        return image.copy()


class Broken(ImageStage):
    def _transform_one(self, image):
        raise RuntimeError("a fault of the stage, not of the image")


def images(count=23, size=(16, 16), seed=0):
    return np.random.default_rng(seed).random((count, *size, 1), np.float32)


def stages():
    return [
        GaussianBlur(1.0),
        FeatureUnion(
            [
                ("edges", make_pipeline(Sobel("both"), Summarize(["mean_square", "mean"]))),
                ("hog", HOG(pixels_per_cell=(8, 8), cells_per_block=(1, 1))),
                ("pool", make_pipeline(AveragePool(8), Summarize(["maximum"]))),
            ]
        ),
    ]


@pytest.fixture
def folder(tmp_path):
    """Give paths of six images, of which those at 1 and 4 cannot be read."""
    rng = np.random.default_rng(0)
    paths = []
    for index in range(6):
        paths.append(tmp_path / f"{index}.png")
        Image.fromarray(rng.integers(0, 256, (20, 24, 3), np.uint8)).save(paths[-1])
    paths[1].write_text("no image")
    paths[4].unlink()
    return paths


# The result.


@settings(max_examples=30)
@given(st.integers(0, 40), st.integers(1, 50), st.integers(1, 4))
def test_the_result_is_the_same_bit_for_bit(count, chunk_size, n_jobs):
    batch = images(count)
    expected = Stream(stages()).fit(images(2)).transform(batch)
    stream = Stream(stages(), chunk_size, n_jobs).fit(images(2))
    np.testing.assert_array_equal(stream.transform(batch), expected)
    assert stream.transform(batch).dtype == np.float32


@pytest.mark.parametrize("n_jobs", [1, 2, -1, None])
def test_it_is_what_scikit_learn_gives_stage_by_stage(n_jobs):
    batch = images()
    expected = make_pipeline(*stages()).fit_transform(batch)
    result = Stream(stages(), chunk_size=4, n_jobs=n_jobs).fit_transform(batch)
    assert result.shape == (23, 4 + 2 * 2 * 9 + 1)
    np.testing.assert_array_equal(result, expected)


def test_images_of_different_sizes():
    ragged = [image[: 8 + index] for index, image in enumerate(images(7))]
    expected = make_pipeline(Sobel("both")).fit_transform(ragged)
    result = Stream([Sobel("both")], chunk_size=3, n_jobs=2).fit_transform(ragged)
    assert isinstance(result, list)
    for one, other in zip(result, expected, strict=True):
        np.testing.assert_array_equal(one, other)
    vectors = Stream([Sobel("both"), Summarize(["mean"])], chunk_size=3).fit_transform(ragged)
    assert vectors.shape == (7, 2)


def test_vectors_of_different_lengths_are_an_error():
    ragged = [image[: 8 + 8 * (index > 3)] for index, image in enumerate(images(7))]
    stages = [HOG(pixels_per_cell=(8, 8), cells_per_block=(1, 1))]
    for chunk_size in (1, 2, 4, 7):
        with pytest.raises(ValueError) as caught:
            Stream(stages, chunk_size).fit(ragged).transform(ragged)
        assert str(caught.value).endswith(
            ": the vectors have different lengths (18 to 36), since the images differ in size. "
            "Resize all images to one size, for example with ReadImages(size=(256, 256))."
        ) or str(caught.value) == (
            "The vectors have different lengths (18 to 36), since the images differ in size. "
            "Resize all images to one size, for example with ReadImages(size=(256, 256))."
        )


def test_branches_within_branches():
    inner = make_union(Sobel("vertical"), make_pipeline(GaussianBlur(2.0), Sobel("horizontal")))
    nested = [make_union(Sobel("both"), make_pipeline(inner, GaussianBlur(0.5))), AveragePool(4)]
    result = Stream(nested, chunk_size=5, n_jobs=2).fit_transform(images())
    blurred = GaussianBlur(2.0).fit_transform(images())
    parts = [Sobel("vertical").fit_transform(images()), Sobel("horizontal").fit_transform(blurred)]
    right = GaussianBlur(0.5).fit_transform(np.concatenate(parts, axis=-1))
    both = np.concatenate([Sobel("both").fit_transform(images()), right], axis=-1)
    assert result.shape == (23, 4, 4, 4)
    np.testing.assert_array_equal(result, AveragePool(4).fit_transform(both))


def test_branches_that_are_dropped_or_pass_through():
    union = FeatureUnion([("a", "drop"), ("b", "passthrough"), ("c", Sobel("both"))])
    result = Stream([union, Summarize(["mean"])]).fit_transform(images())
    expected = [
        Summarize(["mean"]).fit_transform(maps)
        for maps in (images(), Sobel("both").fit_transform(images()))
    ]
    np.testing.assert_array_equal(result, np.hstack(expected))


def test_no_images_and_one():
    stream = Stream(stages()).fit(images())
    assert stream.transform(images(0)).shape == (0, 41)
    np.testing.assert_array_equal(stream.transform(images(1)), stream.transform(images())[:1])
    assert list(stream.iterate([])) == []


@pytest.mark.parametrize("method", ["fit", "transform", "fit_on_readable"])
@pytest.mark.parametrize(
    ("beginning", "given", "message"),
    [
        (
            Sobel(),
            images(1)[0],
            "Sobel: expected a batch of images, an array (n, height, width, channels) or a list of "
            "arrays (height, width, channels), but got one array of shape (16, 16, 1). For a "
            "single image, wrap it in a list: [image]. For several gray images, add the axis of "
            "channels: images[..., np.newaxis].",
        ),
        (
            FeatureUnion([("a", ReadImages()), ("b", ReadImages(mode="gray"))]),
            "photo.jpg",
            "ReadImages: expected a batch of paths, but got 'photo.jpg'. For a single image, wrap "
            "it in a list: [path].",
        ),
    ],
)
def test_one_image_is_no_batch(beginning, given, message, method):
    with pytest.raises(ValueError) as error:
        getattr(Stream([beginning, Summarize()]), method)(given)
    assert str(error.value) == message


@pytest.mark.parametrize("method", ["fit", "fit_on_readable"])
def test_a_column_of_a_data_frame_is_taken_in_its_order(folder, method):
    paths = pandas.Series(folder)[[3, 0, 5, 2]]  # each keeps its label
    stream = Stream([ReadImages(mode="gray"), Listing()])
    getattr(stream, method)(paths)
    expected = ReadImages(mode="gray").transform([*paths])
    np.testing.assert_allclose(stream.stages[1].seen_, expected / np.float32(255))
    np.testing.assert_allclose(stream.transform(paths), expected / np.float32(255))


def test_data_frames_between_stages_change_nothing():
    expected = Stream(stages()).fit_transform(images())
    with config_context(transform_output="pandas"):
        frame = Stream(stages(), chunk_size=4).fit_transform(images())
    np.testing.assert_array_equal(frame.to_numpy(), expected)
    assert list(frame.columns) == list(Stream(stages()).fit(images()).get_feature_names_out())
    inside = Summarize(["mean"]).set_output(transform="pandas")
    result = Stream([inside], chunk_size=4).fit_transform(images())
    np.testing.assert_array_equal(result, Summarize(["mean"]).fit_transform(images()))


# What is shared.


@pytest.mark.parametrize("n_jobs", [1, 3])
def test_what_branches_have_in_common_is_computed_once(n_jobs):
    union = make_union(
        make_pipeline(Count(), Sobel("both"), Summarize(["mean"])),
        make_pipeline(Count(), Summarize(["mean"])),
        make_pipeline(Count("other"), Summarize(["mean"])),
    )
    stream = Stream([union], chunk_size=4, n_jobs=n_jobs).fit(images())
    Count.calls.clear()
    result = stream.transform(images())
    assert Count.calls == {"count": 23, "other": 23}
    assert result.shape == (23, 4)
    np.testing.assert_array_equal(result[:, 2:3], result[:, 3:4])


def test_streams_run_together_share_their_beginning():
    one = Stream([Count(), Sobel("both"), Summarize(["mean"])])
    other = Stream([Count(), Summarize(["mean"])])
    for stream in (one, other):
        stream.fit(images())
    Count.calls.clear()
    told = []
    computed = run_together([one, other], images(), progress=told.append)
    assert Count.calls == {"count": 23}
    assert sum(told) == 23
    assert computed.kept == list(range(23))
    assert computed.refused == []
    np.testing.assert_array_equal(computed.outputs[0], one.transform(images()))
    np.testing.assert_array_equal(computed.outputs[1], other.transform(images()))
    assert computed.seconds[0] > computed.seconds[1] > 0


def test_run_together_leaves_out_what_one_refuses():
    batch = images()
    batch[5, 0, 0] = -1
    computed = run_together([Stream([Mean()]), Stream([Summarize(["mean"])])], batch)
    assert computed.kept == [index for index in range(23) if index != 5]
    assert [str(error) for error in computed.refused] == [
        "an image: unsuitable: Mean takes no dark corners."
    ]
    assert [len(output) for output in computed.outputs] == [22, 22]
    np.testing.assert_array_equal(
        computed.outputs[1], Summarize(["mean"]).fit_transform(batch[computed.kept])
    )


# What is refused.


def read_and_describe():
    return [ReadImages((16, 16), "gray"), Sobel("both"), Summarize(["mean_square", "mean"])]


def test_a_refusal_ends_the_workers_at_once(folder):
    with pytest.raises(RefusedImage) as error:
        Stream([ReadImages(mode="gray"), Mean()], 1, 2).transform(folder)
    # The error is still held, and with it all that it came through.
    assert error.traceback
    assert [thread for thread in threading.enumerate() if thread.name.startswith("featx")] == []


@pytest.mark.parametrize("chunk_size", [1, 2, 3, 6])
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_refused_images_raise(folder, chunk_size, n_jobs):
    stream = Stream(read_and_describe(), chunk_size, n_jobs).fit(folder[:1])
    with pytest.raises(RefusedImage) as caught:
        stream.transform(folder)
    assert caught.value.path == str(folder[1])
    assert caught.value.reason == "not-an-image"
    with pytest.raises(RefusedImage) as caught:
        Stream(read_and_describe(), chunk_size, n_jobs, "nan").fit(folder[4:])
    assert str(caught.value) == f"{folder[4]}: missing: the file does not exist."


@pytest.mark.parametrize("chunk_size", [1, 2, 3, 6])
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_refused_images_give_rows_of_nan_and_one_warning(folder, chunk_size, n_jobs):
    stream = Stream(read_and_describe(), chunk_size, n_jobs, "nan").fit(folder[:1])
    with pytest.warns(UserWarning, match="rejected") as caught:
        result = stream.transform(folder)
    assert [str(warning.message) for warning in caught] == [
        f"2 of 6 images were rejected, and their rows are NaN. The first: {folder[1]}: "
        "not-an-image: unknown image format. Supported formats: JPEG, PNG, GIF, TIFF, BMP, WebP "
        "and PPM/PGM/PBM."
    ]
    assert result.dtype == np.float32
    good = [0, 2, 3, 5]
    expected = stream.transform([folder[index] for index in good])
    np.testing.assert_array_equal(result[good], expected)
    np.testing.assert_array_equal(result[[1, 4]], np.full((2, 4), np.nan))


def test_rows_of_nan_need_vectors(folder):
    for stages in (read_and_describe()[:1], read_and_describe()):
        stream = Stream(stages, refused="nan")
        given = folder if len(stages) == 1 else folder[1:2]
        with pytest.warns(UserWarning, match="rejected"), pytest.raises(ValueError) as caught:
            stream.transform(given)
        assert str(caught.value) == (
            'Stream: refused="nan" requires a stream that outputs vectors, and at least one '
            "readable image."
        )


@settings(max_examples=40)
@given(
    st.lists(st.booleans(), max_size=20), st.integers(1, 8), st.integers(1, 3), st.integers(0, 9)
)
def test_iterate_gives_every_image_once_and_in_order(good, chunk_size, n_jobs, seed):
    batch = images(len(good), (4, 4), seed)
    batch[[not one for one in good], 0, 0] = -1
    batch[:, 1, 1, 0] = np.arange(len(good))
    stream = Stream([GaussianBlur(0.1), Mean()], chunk_size, n_jobs)
    chunks = list(stream.iterate(iter(batch)))
    assert [len(chunk.items) for chunk in chunks[:-1]] == [chunk_size] * (len(chunks) - 1)
    given = [image for chunk in chunks for image in chunk.items]
    np.testing.assert_array_equal(np.reshape(given, batch.shape), batch)
    position = 0
    for chunk in chunks:
        (output,) = chunk.outputs
        assert len(output) == len(chunk.kept)
        assert sorted([*chunk.kept, *chunk.refused]) == list(range(len(chunk.items)))
        for index, row in zip(chunk.kept, output, strict=True):
            assert good[position + index]
            np.testing.assert_allclose(row, batch[position + index].mean((0, 1)), atol=1e-5)
        for index, error in chunk.refused.items():
            assert not good[position + index]
            assert str(error) == "an image: unsuitable: Mean takes no dark corners."
        position += len(chunk.items)
    assert position == len(good)


def test_an_image_unsuitable_for_a_later_stage_is_refused_by_itself(tmp_path):
    paths = [tmp_path / f"{side}.png" for side in (16, 2, 32)]
    for path in paths:
        side = int(path.stem)
        Image.fromarray(np.full((side, side), 100, np.uint8)).save(path)
    union = make_union(
        make_pipeline(Sobel("both"), Summarize(["mean"])),
        make_pipeline(Sobel("both", padding="valid"), Summarize(["mean_square"])),
    )
    stream = Stream([ReadImages(mode="gray"), union])
    (chunk,) = stream.iterate(paths)
    assert chunk.kept == [0, 2]
    np.testing.assert_array_equal(chunk.outputs[0], stream.transform([paths[0], paths[2]]))
    assert {index: str(error) for index, error in chunk.refused.items()} == {
        1: f"{paths[1]}: unsuitable: Sobel needs at least 3 x 3 pixels with these parameters, "
        "but image 0 is 2 x 2 pixels."
    }


def test_maps_of_one_image_that_do_not_fit_are_refused(folder):
    union = make_union(Sobel("both"), Sobel("both", padding="valid"))
    (chunk,) = Stream([union]).iterate(images(2))
    assert chunk.kept == []
    assert chunk.outputs == [[]]
    assert str(chunk.refused[1]) == (
        "an image: unsuitable: FeatureUnion: the branches output maps of different sizes "
        "(16 x 16, 14 x 14 pixels). Use a padding that keeps the size, such as "
        'padding="reflect", or pool with Summarize.'
    )


def test_later_stages_see_each_good_image_once(tmp_path):
    paths = [str(tmp_path / f"{index}.png") for index in range(32)]
    for path in paths[::2]:
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(path)
    Count.calls.clear()
    stream = Stream([ReadImages(mode="gray"), Count(), Summarize(["mean"])], chunk_size=32)
    (chunk,) = stream.iterate(paths)
    assert list(chunk.refused) == list(range(1, 32, 2))
    assert Count.calls == {"count": 16}


# Chunks and workers.


class Source:
    """Count what has been taken of it."""

    def __init__(self, count):
        self.count = count
        self.taken = 0

    def __iter__(self):
        for image in images(self.count, (4, 4)):
            self.taken += 1
            yield image


@pytest.mark.parametrize(("n_jobs", "ahead"), [(1, 1), (2, 4), (3, 6)])
def test_little_is_taken_ahead(n_jobs, ahead):
    source = Source(60)
    given = 0
    for chunk in Stream([Sobel("both")], chunk_size=3, n_jobs=n_jobs).iterate(source):
        assert source.taken <= given + 3 * ahead
        given += len(chunk.items)
    assert given == source.taken == 60


@pytest.mark.parametrize("n_jobs", [1, 3])
def test_a_fault_of_a_stage_is_raised_and_the_threads_end(n_jobs):
    before = threading.active_count()
    with pytest.raises(RuntimeError) as caught:
        Stream([Broken()], chunk_size=2, n_jobs=n_jobs).transform(images())
    assert str(caught.value) == "a fault of the stage, not of the image"
    assert threading.active_count() == before


@pytest.mark.parametrize("n_jobs", [1, 3])
def test_a_fault_of_the_source_is_raised(n_jobs):
    def broken():
        yield from images(5)
        raise OSError("the disk is gone")

    with pytest.raises(OSError) as caught:
        list(Stream([Sobel("both")], 2, n_jobs).iterate(broken()))
    assert str(caught.value) == "the disk is gone"


def threads():
    return cv2.getNumThreads(), [library["num_threads"] for library in threadpool_info()]


@pytest.fixture
def two_threads():
    found = cv2.getNumThreads()
    cv2.setNumThreads(2)
    yield
    cv2.setNumThreads(found)


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_the_threads_of_libraries_are_as_before(n_jobs):
    before = threads()
    stream = Stream([Sobel("both")], 2, n_jobs)
    stream.transform(images())
    assert threads() == before
    with pytest.raises(RuntimeError):
        Stream([Broken()], 2, n_jobs).transform(images())
    assert threads() == before
    one, other = stream.iterate(images()), stream.iterate(images())
    next(one)
    assert cv2.getNumThreads() == 1
    next(other)
    list(one)
    assert cv2.getNumThreads() == 1
    next(other)
    del other  # left before its end
    gc.collect()
    assert threads() == before


# As any other estimator.


def test_parameters_of_the_stages():
    stream = Stream([Sobel("both"), GaussianBlur(1.0), GaussianBlur(2.0)])
    parameters = stream.get_params()
    assert parameters["sobel__axis"] == "both"
    assert parameters["gaussianblur-1__sigma"] == 1.0
    assert parameters["gaussianblur-2__sigma"] == 2.0
    assert set(stream.get_params(deep=False)) == {"stages", "chunk_size", "n_jobs", "refused"}
    copy = clone(stream)
    assert copy.set_params(**{"gaussianblur-2__sigma": 5.0, "chunk_size": 3}) is copy
    assert copy.stages[2].sigma == 5.0
    assert copy.chunk_size == 3
    assert stream.stages[2].sigma == 2.0
    copy.set_params(sobel=AveragePool(2))
    assert isinstance(copy.stages[0], AveragePool)
    with pytest.raises(ValueError) as caught:
        copy.set_params(nothing=1)
    assert str(caught.value).startswith("Invalid parameter 'nothing' for estimator Stream")


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"stages": []}, "Stream: stages is empty. Pass at least one stage."),
        (
            {"stages": Sobel("both")},
            "The 'stages' parameter of Stream must be an instance of 'list' or an instance of "
            "'tuple'. Got Sobel(axis='both') instead.",
        ),
        ({"stages": [7]}, "Stream: stages must be transformers, got 7."),
        (
            {"stages": [LogisticRegression()]},
            "Stream: stages must be transformers, got LogisticRegression().",
        ),
        (
            {"stages": [FeatureUnion([("a", Sobel())], transformer_weights={"a": 2})]},
            "Stream: transformer_weights of a union is not supported. Scale after the stream.",
        ),
        (
            {"chunk_size": 0},
            "The 'chunk_size' parameter of Stream must be an int in the range [1, inf). Got 0 "
            "instead.",
        ),
        (
            {"n_jobs": -2},
            "The 'n_jobs' parameter of Stream must be an int in the range [1, inf), a int "
            "among {-1} or None. Got -2 instead.",
        ),
        (
            {"refused": "skip"},
            "The 'refused' parameter of Stream must be a str among {'nan', 'raise'}. "
            "Got 'skip' instead.",
        ),
    ],
)
@pytest.mark.parametrize("method", ["fit", "transform", "iterate"])
def test_wrong_parameters(parameters, message, method):
    stream = Stream([Sobel()]).set_params(**parameters)
    with pytest.raises(ValueError) as caught:
        getattr(stream, method)(images())
    assert str(caught.value) == message


def test_feature_names():
    stream = Stream(stages())
    with pytest.raises(ValueError) as caught:
        stream.get_feature_names_out()
    assert str(caught.value) == (
        "Stream: the feature names are unknown before fit. Call fit first."
    )
    names = stream.fit(images()).get_feature_names_out()
    expected = make_pipeline(*stages()).fit(images()).get_feature_names_out()
    assert names.tolist() == expected.tolist()
    assert len(names) == stream.transform(images(1)).shape[1]
    assert names[0].startswith("edges__")


def test_pickle_and_skops():
    stream = Stream([TakeMean(), *stages()], chunk_size=7).fit(images())
    expected = stream.transform(images(5))
    copy = pickle.loads(pickle.dumps(stream))
    np.testing.assert_array_equal(copy.transform(images(5)), expected)
    assert copy.get_feature_names_out().tolist() == stream.get_feature_names_out().tolist()
    plain = Stream(stages(), chunk_size=7).fit(images())
    kept = skops.io.dumps(plain)
    trusted = skops.io.get_untrusted_types(data=kept)
    assert all(name.startswith("featx.") for name in trusted)
    loaded = skops.io.loads(kept, trusted=trusted)
    np.testing.assert_array_equal(loaded.transform(images(5)), plain.transform(images(5)))


def test_stages_that_learn_are_fitted_once_on_all():
    TakeMean.fits.clear()
    stream = Stream([GaussianBlur(1.0), TakeMean(), Summarize(["mean_square"])], chunk_size=4)
    result = stream.fit_transform(images())
    assert TakeMean.fits == [23]
    expected = make_pipeline(GaussianBlur(1.0), TakeMean(), Summarize(["mean_square"]))
    np.testing.assert_array_equal(result, expected.fit_transform(images()))


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_what_is_wrong_with_a_stage_is_not_laid_on_the_images(n_jobs):
    fresh = Stream([TakeMean(), Summarize(["mean"])], 4, n_jobs, "nan")
    with pytest.raises(NotFittedError) as caught:
        fresh.transform(images())
    assert str(caught.value).startswith("This TakeMean instance is not fitted yet.")
    for wrong in (Sobel("diagonal"), make_pipeline(GaussianBlur(1.0), Sobel("diagonal"))):
        with pytest.raises(ValueError) as caught:
            Stream([wrong], 4, n_jobs).iterate(images())
        assert not isinstance(caught.value, RefusedImage)
        assert str(caught.value) == (
            "The 'axis' parameter of Sobel must be a str among {'both', 'horizontal', "
            "'magnitude', 'vertical'}. Got 'diagonal' instead."
        )


def test_estimators_of_scikit_learn_are_stages_too():
    learned = [
        Summarize(["mean", "mean_square", "maximum"]),
        make_union(StandardScaler(), PCA(2, svd_solver="full")),
    ]
    expected = make_pipeline(*clone(learned)).fit_transform(images())
    stream = Stream(learned, chunk_size=5).fit(images())
    np.testing.assert_allclose(stream.transform(images()), expected, rtol=0, atol=1e-6)


def labeled():
    batch = images(40, (12, 12))
    labels = np.arange(40) % 2
    batch[labels == 1, :, ::3] += 1
    return batch, labels


def test_what_learns_is_fitted_inside_each_fold():
    batch, labels = labeled()
    model = make_pipeline(
        Stream([GaussianBlur(1.0), TakeMean(), Summarize(["mean"])], chunk_size=6),
        StandardScaler(),
        LogisticRegression(),
    )
    TakeMean.fits.clear()
    scores = cross_val_score(model, batch, labels, cv=4)
    assert TakeMean.fits == [30] * 4
    np.testing.assert_array_equal(scores, np.ones(4))


def test_the_stream_s_parameters_can_be_searched():
    batch, labels = labeled()
    model = make_pipeline(
        Stream([Sobel("vertical"), Summarize(["mean_square"])]), LogisticRegression(C=1000)
    )
    grid = {"stream__sobel__axis": ["vertical", "horizontal"]}
    search = GridSearchCV(model, grid, cv=2).fit(batch, labels)
    assert search.best_params_ == {"stream__sobel__axis": "vertical"}
    assert search.best_score_ == 1


def test_no_warning_without_refusals():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        Stream([Sobel("both"), Summarize(["mean"])], refused="nan").fit_transform(images())
    assert caught == []


# Stages that learn from a sample, and descriptor sets.


class Rows(ImageStage):
    """Give each row of an image as a descriptor; an image of a dark corner is unsuitable."""

    gives = "descriptors"
    asked: ClassVar = []

    def _transform_one(self, image):
        if image[0, 0, 0] < 0:
            raise ValueError("Rows takes no dark corners.")
        self.asked.append(float(image[0, 0, 0]))
        positions = np.stack([np.arange(len(image)), np.zeros(len(image))], 1).astype(np.float32)
        return DescriptorSet(image[..., 0], positions, size=image.shape[:2])


class MeanOfTwo(ImageStage):
    """Learn the mean descriptor of two images, and give what all descriptors add to it."""

    takes = "descriptors"
    gives = "vectors"
    learns = True

    def _fit(self, images, y):
        self.mean_ = np.concatenate([one.values for one in images.take([0, 2])]).mean(0)

    def _transform_one(self, descriptors):
        return (descriptors.values - self.mean_).sum(0)


def test_descriptors_are_computed_for_the_images_that_are_taken():
    batch = images(9)
    stream = Stream([Rows(), MeanOfTwo()], chunk_size=2, n_jobs=2)
    Rows.asked.clear()
    stream.fit(batch)
    corners = batch[:, 0, 0, 0]
    assert set(Rows.asked) - {0.0} == {corners[0], corners[2]}  # 0 is asked for the names
    mean = np.concatenate([batch[0], batch[2]])[..., 0].mean(0)
    expected = (batch[..., 0] - mean).sum(1)
    np.testing.assert_allclose(stream.transform(batch), expected, rtol=1e-5, atol=1e-5)
    assert stream.transform(batch[:0]).shape == (0, 16)
    assert len(stream.get_feature_names_out()) == 16


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_descriptor_sets_are_a_list_with_their_positions(n_jobs):
    batch = images(5)
    result = Stream([GaussianBlur(1.0), Rows()], 2, n_jobs).fit(batch).transform(batch)
    assert [one.shape for one in result] == [(16, 16)] * 5
    np.testing.assert_array_equal(result[3].positions[:, 0], np.arange(16))
    np.testing.assert_array_equal(np.stack(result), GaussianBlur(1.0).fit_transform(batch)[..., 0])


def test_fitting_on_what_is_readable_leaves_out_the_rest():
    batch = images(7)
    batch[[0, 3], 0, 0] = -1  # of the images from the first good one on, 0 and 2 are taken
    stream = Stream([Rows(), MeanOfTwo()])
    with pytest.raises(ValueError, match="dark corners"):
        stream.fit(batch)
    stream.fit_on_readable(batch)
    expected = batch[1, ..., 0].mean(0)
    np.testing.assert_allclose(stream.stages[1].mean_, expected, rtol=1e-6)


def test_fitting_on_nothing_readable_raises_the_first_refusal():
    batch = images(2)
    batch[:, 0, 0] = -1
    with pytest.raises(RefusedImage) as error:
        Stream([Rows(), MeanOfTwo()]).fit_on_readable(batch)
    assert str(error.value) == "an image: unsuitable: Rows takes no dark corners."


def test_descriptor_sets_are_not_put_side_by_side():
    union = FeatureUnion([("a", Rows()), ("b", make_pipeline(GaussianBlur(1.0), Rows()))])
    with pytest.raises(ValueError) as error:
        Stream([union]).fit(images(2))
    assert str(error.value) == (
        "FeatureUnion: the branches output descriptor sets, which cannot be concatenated. End "
        "each branch with an encoder, such as FisherVector."
    )


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (
            np.zeros(3, np.float32),
            "MeanOfTwo: expected a batch of descriptor sets, a list of DescriptorSet, as "
            "DenseSIFT returns, or of arrays (count, length), but image 0 has an array of shape "
            "(3,).",
        ),
        (
            np.full((1, 2), np.nan, np.float32),
            "MeanOfTwo: the descriptor set of image 0 contains NaN or infinity.",
        ),
        (
            np.zeros((1, 2), np.uint8),
            "MeanOfTwo: the descriptor set of image 0 is of type uint8. Descriptors must be "
            "floating point.",
        ),
    ],
)
def test_what_is_no_descriptor_set_is_refused(item, message):
    with pytest.raises(ValueError) as error:
        MeanOfTwo().fit([item])
    assert str(error.value) == message
