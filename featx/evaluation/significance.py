"""Confidence intervals and paired significance tests."""

from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

#: Confidence level of the intervals, and significance level of the tests.
CONFIDENCE, LEVEL = 0.95, 0.05
BETTER, WORSE, UNDECIDED = "better", "worse", "no difference shown"
#: Maximum number of bootstrap indices per batch.
_ENTRIES = 4_000_000


def wilson_interval(share: float, count: int) -> tuple[float, float]:
    r"""Compute Wilson's 95 % score interval of a proportion, such as an accuracy.

    With :math:`z` the 97.5 % quantile of the normal distribution, the interval is
    :math:`\left(p + \frac{z^2}{2n} \pm z \sqrt{\frac{p(1-p)}{n} + \frac{z^2}{4n^2}}\right) \big/
    \left(1 + \frac{z^2}{n}\right)` [1]_.

    Parameters
    ----------
    share : float
        The proportion :math:`p`, in [0, 1]. Means over repetitions are allowed: :math:`pn` need not
        be an integer.
    count : int
        The number :math:`n` of images, at least 1.

    Returns
    -------
    (float, float)
        The lower and the upper end of the interval.

    References
    ----------
    .. [1] E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference",
       Journal of the American Statistical Association 22, 1927.

    Examples
    --------
    >>> from featx.evaluation.significance import wilson_interval
    >>> [round(end, 3) for end in wilson_interval(0.9, 100)]
    [0.826, 0.945]
    """
    z = float(stats.norm.ppf((1 + CONFIDENCE) / 2))
    middle = share + z**2 / (2 * count)
    half = z * np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    low, high = (middle - half) / (1 + z**2 / count), (middle + half) / (1 + z**2 / count)
    # Rounding errors must not push the ends outside [0, 1] or past the proportion itself.
    return max(0.0, min(float(low), share)), min(1.0, max(float(high), share))


def bootstrap_interval(
    statistic: Callable[[NDArray[np.int64]], NDArray[np.float64]],
    count: int,
    draws: int = 1000,
    random_state: int = 0,
) -> tuple[float, float]:
    """Compute the 95 % percentile bootstrap interval of a statistic of images [1]_.

    Parameters
    ----------
    statistic : callable
        Maps image indices of shape (draws, count), each row drawn with replacement, to one number
        per row. Rows with an undefined statistic return NaN and are ignored, such as the area under
        the curve of a resample with only one class.
    count : int
        The number of images, at least 2.
    draws : int, default=1000
        The number of resamples.
    random_state : int, default=0
        Random seed of the resamples.

    Returns
    -------
    (float, float)
        The lower and the upper end of the interval; NaN if the statistic is undefined in all
        resamples.

    References
    ----------
    .. [1] B. Efron and R. Tibshirani, "An Introduction to the Bootstrap", chapter 13, 1993.

    Examples
    --------
    >>> import numpy as np
    >>> from featx.evaluation.significance import bootstrap_interval
    >>> right = np.arange(100) < 90
    >>> low, high = bootstrap_interval(lambda drawn: right[drawn].mean(axis=1), 100)
    >>> bool(0.80 < low < 0.87 and 0.93 < high < 0.98)
    True
    """
    # scipy.stats.bootstrap computes the same, but returns NaN if any resample is undefined.
    rng, batch = np.random.default_rng(random_state), max(1, _ENTRIES // count)
    sizes = [min(batch, draws - start) for start in range(0, draws, batch)]
    drawn = np.concatenate([statistic(rng.integers(0, count, (size, count))) for size in sizes])
    drawn = drawn[~np.isnan(drawn)]
    if len(drawn) == 0:
        return float("nan"), float("nan")
    low, high = np.quantile(drawn, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def mcnemar_test(right: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """Compute the p-value of McNemar's exact test of two recipes on the same images [1]_.

    The test uses the images that exactly one recipe classifies correctly. Under the null
    hypothesis, each recipe is the correct one with probability 1/2.

    Parameters
    ----------
    right, other : ndarray of bool of shape (n,)
        Whether each recipe's prediction of an image is correct.

    References
    ----------
    .. [1] Q. McNemar, "Note on the Sampling Error of the Difference between Correlated
       Proportions or Percentages", Psychometrika 12, 1947.

    Examples
    --------
    >>> import numpy as np
    >>> from featx.evaluation.significance import mcnemar_test
    >>> mcnemar_test(np.ones(6, bool), np.zeros(6, bool))
    0.03125
    """
    only, only_other = int(np.sum(right & ~other)), int(np.sum(other & ~right))
    if only + only_other == 0:
        return 1.0
    return float(stats.binomtest(only, only + only_other, 0.5).pvalue)


def corrected_t_test(
    accuracies: Sequence[float], others: Sequence[float], tested: float, fitted: float
) -> float:
    r"""Compute the p-value of the corrected resampled t-test over folds [1]_.

    With :math:`d_j` the difference in fold :math:`j` of :math:`J`, :math:`\bar d` their mean and
    :math:`s^2` their variance, :math:`t = \bar d / \sqrt{(1/J + n_2/n_1) s^2}` follows Student's
    t-distribution with :math:`J - 1` degrees of freedom. The term :math:`n_2 / n_1` corrects for
    the overlap of the folds' training sets.

    Parameters
    ----------
    accuracies, others : sequence of float of shape (folds,)
        The accuracies of two recipes in the same folds of all repetitions.
    tested, fitted : float
        The mean number of test images :math:`n_2` and of training images :math:`n_1` per fold.

    References
    ----------
    .. [1] C. Nadeau and Y. Bengio, "Inference for the Generalization Error", Machine Learning 52,
       2003.

    Examples
    --------
    >>> from featx.evaluation.significance import corrected_t_test
    >>> round(corrected_t_test([0.8, 0.9, 0.85], [0.7, 0.6, 0.65], tested=10, fitted=20), 4)
    0.1598
    """
    differences = np.asarray(accuracies, np.float64) - np.asarray(others, np.float64)
    mean, variance = differences.mean(), differences.var(ddof=1)
    # Equal differences have a variance of rounding errors only.
    if variance < 1e-24:
        return 1.0 if abs(mean) < 1e-12 else 0.0
    t = mean / np.sqrt((1 / len(differences) + tested / fitted) * variance)
    return float(2 * stats.t.sf(abs(t), len(differences) - 1))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values for multiple comparisons by Holm's step-down method [1]_.

    The smallest of :math:`m` p-values is multiplied by :math:`m`, the next by :math:`m - 1`, and so
    on. The results are made non-decreasing and clipped at 1.

    References
    ----------
    .. [1] S. Holm, "A Simple Sequentially Rejective Multiple Test Procedure", Scandinavian Journal
       of Statistics 6, 1979.

    Examples
    --------
    >>> from featx.evaluation.significance import holm
    >>> holm([0.25, 0.0625, 0.5])
    [0.5, 0.1875, 0.5]
    """
    order = np.argsort(p_values, kind="stable")
    raised = np.asarray(p_values, np.float64)[order] * np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(np.maximum.accumulate(raised), 1)
    return adjusted.tolist()


def verdicts(
    names: Sequence[str],
    right: Sequence[NDArray[np.bool_]],
    folds: Sequence[Sequence[float]],
    tested: float,
    fitted: float,
) -> dict[tuple[str, str], tuple[str, dict[str, float]]]:
    """Test each pair of recipes for a significant difference in accuracy.

    Parameters
    ----------
    names : sequence of str
        The recipes.
    right : sequence of ndarray of bool of shape (n,)
        For each recipe, whether its prediction of each image is correct.
    folds : sequence of sequence of float
        For each recipe, its accuracy per fold. Empty for a test set.
    tested, fitted : float
        As for `corrected_t_test`.

    Returns
    -------
    dict
        For each pair in the order of ``names``, the verdict on the first recipe (``"better"``,
        ``"worse"`` or ``"no difference shown"``) and the p-values: ``"mcnemar"`` and, for
        cross-validation, ``"corrected_t"``. ``"mcnemar_holm"`` and ``"corrected_t_holm"`` are
        adjusted by `holm` over all pairs.

    Notes
    -----
    A difference is significant if McNemar's adjusted p-value and the unadjusted p-value of the
    t-test are both below 0.05. McNemar's test controls the family-wise error rate. The t-test also
    accounts for the variance between trainings. The recipe with the higher accuracy is better.
    """
    pairs = [*combinations(range(len(names)), 2)]
    tests = {"mcnemar": [mcnemar_test(right[a], right[b]) for a, b in pairs]}
    if all(len(accuracies) > 1 for accuracies in folds):
        tests["corrected_t"] = [
            corrected_t_test(folds[a], folds[b], tested, fitted) for a, b in pairs
        ]
    adjusted = {test: holm(found) for test, found in tests.items()}
    said = {}
    for position, (a, b) in enumerate(pairs):
        p_values = {}
        for test, found in tests.items():
            p_values[test] = found[position]
            p_values[f"{test}_holm"] = adjusted[test][position]
        shown = p_values["mcnemar_holm"] < LEVEL and p_values.get("corrected_t", 0) < LEVEL
        larger = bool(right[a].sum() > right[b].sum())
        verdict = (BETTER if larger else WORSE) if shown else UNDECIDED
        said[names[a], names[b]] = verdict, p_values
    return said
