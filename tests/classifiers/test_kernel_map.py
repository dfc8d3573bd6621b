import pickle

import numpy as np
import pytest
import skops.io
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from sklearn.kernel_approximation import AdditiveChi2Sampler
from sklearn.utils.estimator_checks import parametrize_with_checks

from featx import KernelMap
from featx.classifiers.kernel_map import _spectrum

KERNELS = {
    "hellinger": lambda x, y: np.sqrt(x * y),
    "intersection": np.minimum,
    "chi2": lambda x, y: 2 * x * y / (x + y),
}


@parametrize_with_checks([KernelMap(), KernelMap("intersection"), KernelMap("chi2", order=2)])
def test_what_scikit_learn_asks_of_estimators(estimator, check):
    check(estimator)


@pytest.mark.parametrize("kernel", ["intersection", "chi2"])
@pytest.mark.parametrize("ratio", [1.0, 1.5, 4.0])
def test_the_spectrum_is_that_of_the_kernel(kernel, ratio):
    # Both sides are even in the frequency.
    half, _ = quad(lambda v: np.cos(v * np.log(ratio)) * _spectrum(kernel, v), 0, 60, limit=500)
    expected = KERNELS[kernel](1.0, ratio) / np.sqrt(ratio)
    assert 2 * half == pytest.approx(expected, abs=6e-3)


@pytest.mark.parametrize(
    ("kernel", "order", "tolerance"), [("intersection", 20, 0.04), ("chi2", 6, 0.003)]
)
def test_inner_products_come_near_the_kernel(kernel, order, tolerance):
    rng = np.random.default_rng(0)
    x, y = rng.random((2, 200, 1)) + 0.05
    ours, theirs = (
        KernelMap(kernel, order)
        .fit(x)
        .transform(np.stack([x, y]).reshape(-1, 1))
        .reshape(2, 200, -1)
    )
    products = np.einsum("nd,nd->n", ours, theirs)
    np.testing.assert_allclose(products, KERNELS[kernel](x, y)[:, 0], rtol=tolerance, atol=1e-3)


def test_more_frequencies_come_nearer():
    x, y = np.random.default_rng(0).random((2, 500, 1))
    errors = []
    for order in (1, 3, 9):
        stage = KernelMap("intersection", order).fit(x)
        products = (stage.transform(x) * stage.transform(y)).sum(1)
        errors.append(np.abs(products - np.minimum(x, y)[:, 0]).max())
    assert errors == sorted(errors, reverse=True)


def test_the_hellinger_map_is_the_signed_square_root():
    x = np.array([[0.0, 4.0, -9.0]])
    np.testing.assert_array_equal(KernelMap().fit_transform(x), np.float32([[0, 2, -3]]))


@given(st.integers(0, 2**32 - 1), st.integers(1, 3))
def test_the_chi2_map_is_that_of_scikit_learn(seed, order):
    x = np.random.default_rng(seed).random((4, 5)) + 0.01
    interval = 0.7
    expected = AdditiveChi2Sampler(sample_steps=order + 1, sample_interval=interval)
    found = KernelMap("chi2", order, interval).fit_transform(x)
    np.testing.assert_allclose(found, expected.fit_transform(x), rtol=1e-4, atol=1e-5)


def test_names_of_a_map():
    stage = KernelMap("chi2").fit(np.ones((1, 2)))
    assert stage.get_feature_names_out().tolist() == [
        "x0_chi20", "x1_chi20", "x0_chi21", "x1_chi21", "x0_chi22", "x1_chi22",
    ]  # fmt: skip
    assert KernelMap().fit(np.ones((1, 1))).get_feature_names_out(["a"]).tolist() == [
        "a_hellinger0"
    ]


@pytest.mark.parametrize("kernel", ["intersection", "chi2"])
def test_a_map_of_nothing_but_zeros_is_zero(kernel):
    np.testing.assert_array_equal(
        KernelMap(kernel).fit_transform(np.zeros((1, 3))), np.zeros((1, 9), np.float32)
    )


def test_histograms_have_no_negative_entries():
    with pytest.raises(ValueError) as error:
        KernelMap("intersection").fit(np.array([[0.5, -0.25]]))
    assert str(error.value) == (
        "Negative values in data passed to KernelMap: the intersection kernel requires "
        "non-negative entries, got -0.25."
    )


def test_a_fitted_map_can_be_kept():
    x = np.random.default_rng(0).random((20, 30))
    fitted = KernelMap("chi2").fit(x)
    content = skops.io.dumps(fitted)
    unknown = skops.io.get_untrusted_types(data=content)
    assert unknown == ["featx.classifiers.kernel_map.KernelMap"]
    for again in (
        pickle.loads(pickle.dumps(fitted)),
        skops.io.loads(content, trusted=unknown),
    ):
        np.testing.assert_array_equal(again.transform(x), fitted.transform(x))


# ScoreSum.
