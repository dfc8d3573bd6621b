"""Parameter constraints and their validation.

A stage lists the constraints of each parameter; a value must satisfy at least one of them. Error
messages, and the invalid values of the contract tests, are generated from this list. Validation
is scikit-learn's, which is private there: only this file imports it.
"""

from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils import _param_validation
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    Options,
    _Constraint,
    generate_invalid_param_val,
    make_constraint,
    validate_parameter_constraints,
)

from featx.core.errors import InvalidParameterError

_MOST_ITEMS = 1000

__all__ = [
    "Array",
    "Each",
    "HasMethods",
    "Interval",
    "Options",
    "StrOptions",
    "Values",
    "bad_value",
    "fraction",
    "make_constraint",
    "natural",
    "natural_to",
    "pair",
    "pair_to",
    "positive",
    "positive_to",
    "validate",
]


class StrOptions(_param_validation.StrOptions):
    """A string among a set of options, which messages list in alphabetical order."""

    def __str__(self) -> str:
        return f"a str among {{{', '.join(map(repr, sorted(self.options)))}}}"


class Each(HasMethods):
    """A list or tuple whose items all satisfy ``constraint``.

    Parameters
    ----------
    constraint : constraint
        Constraint on each item.
    length : int, optional
        Number of items; by default any number up to 1000.
    empty : bool, default=False
        Whether the sequence may be empty.
    """

    def __init__(self, constraint: Any, length: int | None = None, empty: bool = False) -> None:
        _Constraint.__init__(self)
        self.constraint = make_constraint(constraint)
        self.least = (0 if empty else 1) if length is None else length
        self.most = _MOST_ITEMS if length is None else length

    def is_satisfied_by(self, value: Any) -> bool:
        """Return whether ``value`` is a list or tuple that satisfies the constraint."""
        if not isinstance(value, (list, tuple)) or not self.least <= len(value) <= self.most:
            return False
        return all(self.constraint.is_satisfied_by(item) for item in value)

    def bad_value(self) -> Any:
        """Return a sequence of the right length with an invalid item."""
        return [bad_value(self.constraint)] * max(self.least, 1)

    def __str__(self) -> str:
        count = f"{self.least}" if self.least == self.most else f"{self.least} to {self.most}"
        return f"a list or tuple of {count} items, each {self.constraint}"


class Values(HasMethods):
    """A dict whose values each satisfy one of ``constraints``."""

    def __init__(self, *constraints: Any) -> None:
        _Constraint.__init__(self)
        self.constraints = [make_constraint(constraint) for constraint in constraints]

    def is_satisfied_by(self, value: Any) -> bool:
        """Return whether ``value`` is a dict with valid values."""
        return isinstance(value, dict) and all(
            any(constraint.is_satisfied_by(one) for constraint in self.constraints)
            for one in value.values()
        )

    def bad_value(self) -> Any:
        """Return a dict with an invalid value."""
        return {"name": object}

    def __str__(self) -> str:
        return f"a dict of values that are {' or '.join(map(str, self.constraints))}"


class Array(HasMethods):
    """A non-empty numeric array, finite in single precision, with ``ndim`` dimensions.

    Stages compute in single precision: values above its maximum count as infinite.
    """

    def __init__(self, *ndim: int) -> None:
        _Constraint.__init__(self)
        self.ndim = ndim

    def is_satisfied_by(self, value: Any) -> bool:
        """Return whether ``value`` is such an array, or a nested list that converts to one."""
        if not isinstance(value, (np.ndarray, list, tuple)):
            return False
        try:
            array = np.asarray(value)
        except ValueError:  # rows of different lengths
            return False
        if array.dtype.kind not in "biuf" or array.ndim not in self.ndim or array.size == 0:
            return False
        return bool((np.abs(array) <= np.finfo(np.float32).max).all())

    def bad_value(self) -> Any:
        """Return a non-finite array with a valid number of dimensions."""
        return np.full((2,) * self.ndim[0], np.nan)

    def __str__(self) -> str:
        dimensions = " or ".join(map(str, self.ndim))
        return f"a finite array of {dimensions} dimension{'s' * (self.ndim != (1,))}, not empty"


#: An integer of at least 1.
natural = Interval(Integral, 1, None, closed="left")
#: A real number above 0.
positive = Interval(Real, 0, None, closed="neither")
#: A real number in [0, 1].
fraction = Interval(Real, 0, 1, closed="both")
#: Two integers of at least 1, rows before columns.
pair = Each(natural, length=2)

# Upper bounds are far above any practical value: they reject errors, and parameters that would
# exhaust memory. A parameter that only enlarges the required image size needs none, since images
# that are too small are rejected.


def natural_to(most: int) -> Interval:
    """Return the constraint of an integer in [1, ``most``]."""
    return Interval(Integral, 1, most, closed="both")


def positive_to(most: float) -> Interval:
    """Return the constraint of a real number in (0, ``most``]."""
    return Interval(Real, 0, most, closed="right")


def pair_to(most: int) -> Each:
    """Return the constraint of two integers in [1, ``most``]."""
    return Each(natural_to(most), length=2)


def validate(
    constraints: Mapping[str, Sequence[Any]], parameters: Mapping[str, Any], owner: str
) -> None:
    """Raise `InvalidParameterError` unless each parameter satisfies one of its constraints."""
    try:
        validate_parameter_constraints(dict(constraints), dict(parameters), caller_name=owner)
    except _param_validation.InvalidParameterError as error:
        raise InvalidParameterError(*error.args) from None


def bad_value(constraint: Any) -> Any:
    """Return a value that violates ``constraint``.

    Raises
    ------
    NotImplementedError
        If every value satisfies the constraint.
    """
    made = make_constraint(constraint)
    if isinstance(made, Each | Array | Values):
        return made.bad_value()
    # For methods, scikit-learn returns an object whose repr differs from process to process.
    return () if isinstance(made, HasMethods) else generate_invalid_param_val(made)
