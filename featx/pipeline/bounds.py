"""Upper bounds on the parameters of scikit-learn's estimators in recipes.

scikit-learn bounds most numbers only from below. A recipe may come from an untrusted source, where
a larger number is an error or an attempt to exhaust memory. Stages declare their bounds in their
own constraints.
"""

from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

from featx.core.constraints import Each, Interval, fraction, natural_to, positive, validate

_degree = Interval(Real, 0, 10, closed="both")
#: Constraints by parameter name, checked in addition to those of scikit-learn.
ESTIMATOR_BOUNDS: dict[str, list[Any]] = {
    "Cs": [natural_to(1000), Each(positive)],
    "alphas": [positive, Each(positive)],
    "degree": [_degree, Each(_degree), None],
    "hidden_layer_sizes": [natural_to(10_000), Each(natural_to(10_000), empty=True)],
    "l1_ratios": [Each(fraction), None],
    "max_iter": [Interval(Integral, -1, 1_000_000, closed="both"), None],
    "max_samples": [natural_to(10**9), fraction, None],
    "n_components": [natural_to(100_000), fraction, str, None],
    "n_estimators": [natural_to(100_000)],
    "n_jobs": [Interval(Integral, None, 1000, closed="right"), None],
    "n_oversamples": [natural_to(100_000)],
    "sample_steps": [natural_to(1000)],
}


def check_bounds(estimator: str, parameters: Mapping[str, Any]) -> None:
    """Raise `InvalidParameterError` if a parameter of an estimator exceeds its bound."""
    validate(ESTIMATOR_BOUNDS, parameters, estimator)
