"""What holds of every encoder."""

import pickle

import numpy as np
import pytest
import skops.io
from sklearn.base import clone
from sklearn.decomposition import PCA
from threadpoolctl import threadpool_limits

from featx import LLC, VLAD, BagOfWords, FisherVector, Stream, SuperVector
from featx.core.descriptor_sets import DescriptorSet
from featx.core.stage import ImageStage

ENCODERS = {
    "FisherVector": (FisherVector, {"n_modes": 4}),
    "BagOfWords": (BagOfWords, {"n_words": 4}),
    "BagOfWords, soft": (BagOfWords, {"n_words": 4, "assignment": "soft"}),
    "BagOfWords, soft, max": (
        BagOfWords,
        {"n_words": 4, "assignment": "soft", "pooling": "max"},
    ),
    "LLC": (LLC, {"n_words": 4, "n_neighbors": 2}),
    "LLC, average": (LLC, {"n_words": 4, "n_neighbors": 3, "pooling": "average"}),
    "SuperVector": (SuperVector, {"n_words": 4}),
    "VLAD": (VLAD, {"n_words": 4, "intra_norm": False}),
    "VLAD, mean": (VLAD, {"n_words": 4, "intra_norm": False, "residuals": "mean"}),
}
PYRAMID = ((1, 1), (3, 1), (2, 2))


class GridPixels(ImageStage):
    """Give each pixel's channels as a descriptor, with its place."""

    takes = "maps"
    gives = "descriptors"

    def _transform_one(self, image):
        height, width, channels = image.shape
        places = np.indices((height, width)).reshape(2, -1).T.astype(np.float32)
        return DescriptorSet(image.reshape(-1, channels), places, size=(height, width))


@pytest.fixture(params=ENCODERS)
def make(request):
    kind, given = ENCODERS[request.param]
    return lambda **parameters: kind(**given, **parameters)


def a_set(seed, count=60, features=5, size=(30, 40)):
    rng = np.random.default_rng(seed)
    values = rng.normal(0, 1, (count, features)).astype(np.float32)
    positions = (rng.random((count, 2)) * size - 0.5).astype(np.float32)
    return DescriptorSet(values, positions, size=size)


def sets(count=5, **given):
    return [a_set(seed, **given) for seed in range(count)]


def refusal(act):
    with pytest.raises(ValueError) as caught:
        act()
    return str(caught.value)


# Projection and positions.


@pytest.mark.parametrize("whiten", [False, True])
def test_descriptors_are_projected_as_scikit_learn_does(make, whiten):
    images = sets()
    encoder = make(n_components=3, whiten=whiten).fit(images)
    x = np.concatenate([found.values for found in images]).astype(np.float64)
    pca = PCA(3, whiten=whiten).fit(x)
    mine = encoder._projected(images[0].values, [images[0]])
    theirs = pca.transform(images[0].values.astype(np.float64))
    assert mine.dtype == np.float32
    np.testing.assert_allclose(np.abs(mine), np.abs(theirs), rtol=0, atol=1e-5)


def test_what_is_encoded_is_projected_and_has_its_position_appended(make):
    images = sets()
    encoder = make(n_components=3, append_position=2.5).fit(images)
    by_hand = []
    for found in images:
        projected = (found.values - encoder.mean_) @ encoder.components_.T
        places = 2.5 * ((found.positions + 0.5) / np.array(found.size) - 0.5)
        by_hand.append(np.hstack([projected, places]).astype(np.float32))
    plain = make().fit(by_hand)
    for name, value in vars(encoder).items():
        if name.endswith("_") and name not in ("mean_", "components_", "input_shape_"):
            plain.__dict__[name] = value
    plain.n_features_in_ = 5
    np.testing.assert_allclose(
        encoder.transform(images), plain.transform(by_hand), rtol=0, atol=1e-5
    )


@pytest.mark.parametrize("count", [None, 5])
def test_directions_in_which_nothing_varies_are_left_out(make, count):
    images = sets()
    x = np.concatenate([found.values for found in images])
    x[:, 4] = x[:, 3]
    encoder = make(n_components=count, whiten=True).fit([x])
    projected = encoder._projected(x, [])
    assert projected.shape == (300, 4)
    np.testing.assert_allclose(projected.var(axis=0, ddof=1), np.ones(4), atol=1e-4)
    assert len(encoder.get_feature_names_out()) == encoder.transform([x]).shape[1]


# Pyramids and normalization.


def test_each_cell_is_encoded_and_normalised_as_if_it_were_an_image(make):
    images = sets()
    images.append(a_set(9)[a_set(9).relative_positions[:, 0] < 1 / 3])
    images.append(a_set(10, count=1))
    encoder = make(n_components=4, pyramid=PYRAMID, normalize_cells=True, norm="l2").fit(images)
    alone = clone(encoder).set_params(pyramid=[[1, 1]])
    alone.__dict__.update({key: value for key, value in vars(encoder).items() if key[-1] == "_"})
    for found in images:
        down, across = found.relative_positions.T
        cells = []
        for rows, columns in PYRAMID:
            for row in range(rows):
                for column in range(columns):
                    inside = (np.floor(down * rows) == row) & (np.floor(across * columns) == column)
                    cells.append(alone.transform([found[inside]])[0].astype(np.float64))
        expected = np.concatenate(cells)
        expected /= np.linalg.norm(expected)
        (result,) = encoder.transform([found])
        np.testing.assert_allclose(result, expected, rtol=0, atol=2e-6)


def test_cells_that_are_not_normalised_keep_their_proportion_and_grids_their_weights(make):
    images = sets()
    bare = make(pyramid=PYRAMID, norm=None).fit(images)
    vector = bare.transform(images)[0].astype(np.float64)
    weights = np.repeat([0.5, 2, 0], np.array([1, 3, 4]) * (len(vector) // 8))
    for norm, order in (("l1", 1), ("l2", 2)):
        given = {"pyramid": PYRAMID, "norm": norm, "normalize_cells": False}
        weighted = make(**given, pyramid_weights=[0.5, 2, 0]).fit(images)
        expected = vector * weights
        expected /= np.linalg.norm(expected, order)
        np.testing.assert_allclose(weighted.transform(images)[0], expected, rtol=1e-5, atol=1e-8)


def test_power_keeps_the_sign(make):
    images = sets()
    bare, rooted = (make(power=power, norm=None).fit(images) for power in (1, 0.25))
    values = bare.transform(images).astype(np.float64)
    expected = np.sign(values) * np.abs(values) ** 0.25
    np.testing.assert_allclose(rooted.transform(images), expected, rtol=1e-5)


def test_names_match_columns(make):
    for given in ({}, {"pyramid": PYRAMID, "append_position": 1.0, "n_components": 2}):
        encoder = make(**given).fit(sets())
        names = encoder.get_feature_names_out()
        assert len(set(names)) == len(names) == encoder.transform(sets()).shape[1]


def test_names_say_the_cell(make):
    encoder = make(pyramid=PYRAMID).fit(sets())
    names = encoder.get_feature_names_out()
    prefix = type(encoder).__name__.lower()
    cells = ["1x1_0_0", *(f"3x1_{n}_0" for n in range(3)), "2x2_0_0", "2x2_0_1", "2x2_1_0"]
    length = len(names) // 8
    for index, cell in enumerate([*cells, "2x2_1_1"]):
        part = names[index * length : (index + 1) * length]
        assert all(name.startswith(f"{prefix}_{cell}_") for name in part)


# The same values, however they are asked for.


def test_a_batch_gives_what_single_images_give(make):
    images = [*sets(), a_set(20, count=700), a_set(21, count=1)]
    encoder = make(pyramid=PYRAMID, append_position=1.0).fit(images)
    singles = [encoder.transform([found])[0] for found in images]
    np.testing.assert_array_equal(encoder.transform(images), singles)


def test_streams_give_the_same_bits_whatever_the_chunks_and_threads(make):
    images = np.random.default_rng(0).random((12, 40, 30, 8), dtype=np.float32)
    results = []
    for chunk_size, n_jobs in ((12, 1), (1, 2), (5, 2)):
        encoder = make(n_components=6, pyramid=PYRAMID, append_position=1.0, n_samples=2000)
        stream = Stream([GridPixels(), encoder], chunk_size=chunk_size, n_jobs=n_jobs)
        results.append(stream.fit_transform(images))
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])


def test_what_is_learned_does_not_depend_on_the_threads_of_blas(make):
    images = [a_set(seed, count=500, features=64) for seed in range(8)]
    results = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            encoder = make(n_components=32).fit(images)
        with threadpool_limits(1):
            results.append(encoder.transform(images))
    np.testing.assert_array_equal(results[0], results[1])


def test_fitting_again_gives_the_same(make):
    images = sets()
    encoder = make(n_components=3).fit(images)
    first = encoder.transform(images)
    np.testing.assert_array_equal(encoder.fit(images).transform(images), first)
    np.testing.assert_array_equal(clone(encoder).fit(images).transform(images), first)
    # What was learned before is forgotten.
    plain = encoder.set_params(n_components=None).fit(images)
    np.testing.assert_array_equal(plain.transform(images), make().fit(images).transform(images))


@pytest.mark.parametrize("given", [{}, {"n_components": 3, "pyramid": PYRAMID}])
def test_pickle_and_skops_keep_what_was_learned(make, given):
    encoder = make(**given).fit(sets())
    expected = encoder.transform(sets())
    again = pickle.loads(pickle.dumps(encoder))
    np.testing.assert_array_equal(again.transform(sets()), expected)
    dumped = skops.io.dumps(encoder)
    trusted = skops.io.get_untrusted_types(data=dumped)
    assert trusted == [f"{type(encoder).__module__}.{type(encoder).__name__}"]
    again = skops.io.loads(dumped, trusted=trusted)
    np.testing.assert_array_equal(again.transform(sets()), expected)


def test_input_is_not_written_to(make):
    images = sets()
    copies = [found.values.copy() for found in images]
    for found in images:
        found.values.flags.writeable = False
    make(n_components=2, append_position=1.0).fit(images).transform(images)
    for found, copy in zip(images, copies, strict=True):
        np.testing.assert_array_equal(found.values, copy)


# Input that has little or nothing in it, and input that is wrong.


def test_sets_without_descriptors_give_zeros(make):
    encoder = make(pyramid=PYRAMID, append_position=1.0).fit(sets())
    empty = a_set(0)[:0]
    length = len(encoder.get_feature_names_out())
    np.testing.assert_array_equal(encoder.transform([empty]), np.zeros((1, length)))
    bare = DescriptorSet(np.empty((0, 5), np.float32))
    np.testing.assert_array_equal(encoder.transform([bare]), np.zeros((1, length)))
    assert encoder.transform([]).shape == (0, length)


def test_sets_without_descriptors_do_not_matter_to_what_is_learned(make):
    images = sets()
    with_empty = make().fit([*images, a_set(0)[:0]])
    assert np.isfinite(with_empty.transform(images)).all()


@pytest.mark.parametrize("value", [0.0, 0.1, 255.0])
@pytest.mark.parametrize("given", [{}, {"whiten": True}, {"n_components": 2}])
def test_descriptors_that_are_all_alike_give_finite_vectors(make, value, given):
    alike = [np.full((50, 5), value, np.float32)] * 3
    encoder = make(**given).fit(alike)
    assert np.isfinite(encoder.transform([*alike, a_set(0), np.zeros((3, 5), "f4")])).all()
    other = make(**given).fit(sets())
    assert np.isfinite(other.transform(alike)).all()


def test_descriptors_of_another_length_are_refused(make):
    encoder = make().fit(sets())
    name = type(encoder).__name__
    assert refusal(lambda: encoder.transform([a_set(0, features=7)])) == (
        f"{name}: descriptors have 7 entries, expected 5 as in fit."
    )
    assert refusal(lambda: make().fit([*sets(), a_set(0, features=7)])) == (
        f"{name}: descriptors must have the same length in all images, got 5 and 7 entries."
    )


def test_more_components_than_entries_or_descriptors_are_refused(make):
    name = type(make()).__name__
    assert refusal(lambda: make(n_components=6).fit(sets())) == (
        f"{name}: n_components=6 exceeds the descriptor length. Use at most 5."
    )
    assert refusal(lambda: make(n_components=30).fit([a_set(0, count=20, features=50)])) == (
        f"{name}: n_components=30 exceeds the sample size. Use at most 20."
    )


def test_parameters_that_need_positions_are_refused_without(make):
    bare = [found.values for found in sets()]
    name = type(make()).__name__
    for given in ({"append_position": 1.0}, {"pyramid": PYRAMID}):
        (parameter,) = given
        message = (
            f"{name}: {parameter} requires descriptors with positions. Use a stage that computes "
            "them, such as DenseSIFT, or pass positions and size to DescriptorSet."
        )
        encoder = make(**given).fit(sets())
        assert refusal(lambda encoder=encoder: encoder.transform(bare)) == message
    assert refusal(lambda: make(append_position=1.0).fit(bare)) == (
        message.replace("pyramid", "append_position")
    )


def test_parameters_that_do_not_fit_each_other_are_refused(make):
    name = type(make()).__name__
    assert refusal(lambda: make(pyramid=PYRAMID, pyramid_weights=[1, 2]).fit(sets())) == (
        f"{name}: pyramid_weights requires one weight per grid of pyramid, 3 in all, got 2."
    )
    parameter = "n_modes" if name == "FisherVector" else "n_words"
    assert refusal(lambda: make(n_samples=3).fit(sets())) == (
        f"{name}: n_samples=3 is too small for {parameter}=4. Set n_samples to at least 4."
    )


def test_parts_are_the_shares_of_each_descriptor_in_each_entry(make):
    encoder = make(pyramid=PYRAMID).fit(sets())
    image = a_set(9)
    (vector,) = encoder.transform([image])
    shares = np.random.default_rng(1).normal(0, 1, len(vector)) * (vector != 0)
    bare = clone(encoder).set_params(power=1, norm=None, normalize_cells=False).fit(sets())
    # What an entry is of one descriptor alone, it adds to the entry of all, but for a factor.
    alone = bare.transform([image[[place]] for place in range(len(image))]).astype(np.float64)
    if getattr(encoder, "pooling", "") == "max":
        alone *= alone == alone.max(axis=0)
    whole = alone.sum(axis=0)
    expected = np.divide(alone, whole, out=np.zeros_like(alone), where=whole != 0) @ shares
    found = encoder.parts(image, shares)
    # An entry may be the small difference of large parts.
    np.testing.assert_allclose(found, expected, rtol=1e-2, atol=1e-3)
    assert found.sum() == pytest.approx(shares.sum(), abs=1e-2)


def test_parts_of_nothing(make):
    encoder = make(pyramid=PYRAMID).fit(sets())
    (vector,) = encoder.transform([a_set(0, count=0)])
    assert encoder.parts(a_set(0, count=0), vector).shape == (0,)
