"""What a parameter may be, declared as data.

A stage lists, for each of its parameters, the constraints of which one must hold; the messages
for users and the bad values for the contract tests follow from the list. The machinery is
scikit-learn's own, which is private there: this file is the only one that touches it.
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
    """One of these strings, which messages list in the order of the alphabet."""

    def __str__(self) -> str:
        return f"a str among {{{', '.join(map(repr, sorted(self.options)))}}}"


class Each(HasMethods):
    """A list or tuple whose every item satisfies ``constraint``.

    Parameters
    ----------
    constraint : constraint
        What each item must satisfy.
    length : int, optional
        The number of items; by default any up to 1000.
    empty : bool, default=False
        Whether the sequence may be empty.
    """

    def __init__(self, constraint: Any, length: int | None = None, empty: bool = False) -> None:
        _Constraint.__init__(self)
        self.constraint = make_constraint(constraint)
        self.least = (0 if empty else 1) if length is None else length
        self.most = _MOST_ITEMS if length is None else length

    def is_satisfied_by(self, value: Any) -> bool:
        """Return whether ``value`` is such a sequence."""
        if not isinstance(value, (list, tuple)) or not self.least <= len(value) <= self.most:
            return False
        return all(self.constraint.is_satisfied_by(item) for item in value)

    def bad_value(self) -> Any:
        """Return a sequence of the right length with an item that is not allowed."""
        return [bad_value(self.constraint)] * max(self.least, 1)

    def __str__(self) -> str:
        count = f"{self.least}" if self.least == self.most else f"{self.least} to {self.most}"
        return f"a list or tuple of {count} items, each {self.constraint}"


class Values(HasMethods):
    """A dict whose every value satisfies one of ``constraints``."""

    def __init__(self, *constraints: Any) -> None:
        _Constraint.__init__(self)
        self.constraints = [make_constraint(constraint) for constraint in constraints]

    def is_satisfied_by(self, value: Any) -> bool:
        """Return whether ``value`` is such a dict."""
        return isinstance(value, dict) and all(
            any(constraint.is_satisfied_by(one) for constraint in self.constraints)
            for one in value.values()
        )

    def bad_value(self) -> Any:
        """Return a dict with a value that is not allowed."""
        return {"name": object}

    def __str__(self) -> str:
        return f"a dict of values that are {' or '.join(map(str, self.constraints))}"


class Array(HasMethods):
    """A finite numeric array with one of the numbers of dimensions ``ndim``, not empty.

    Finite means in single precision, in which stages compute.
    """

    def __init__(self, *ndim: int) -> None:
        _Constraint.__init__(self)
        self.ndim = ndim

    def is_satisfied_by(self, value: Any) -> bool:
        """Return whether ``value`` is such an array, or a nested list that makes one."""
        if not isinstance(value, (np.ndarray, list, tuple)):
            return False
        try:
            array = np.asarray(value)
        except ValueError:  # of rows of different lengths
            return False
        if array.dtype.kind not in "biuf" or array.ndim not in self.ndim or array.size == 0:
            return False
        return bool((np.abs(array) <= np.finfo(np.float32).max).all())

    def bad_value(self) -> Any:
        """Return an array of a right number of dimensions that is not finite."""
        return np.full((2,) * self.ndim[0], np.nan)

    def __str__(self) -> str:
        dimensions = " or ".join(map(str, self.ndim))
        return f"a finite array of {dimensions} dimension{'s' * (self.ndim != (1,))}, not empty"


#: A whole number from one up.
natural = Interval(Integral, 1, None, closed="left")
#: A real number above zero.
positive = Interval(Real, 0, None, closed="neither")
#: A real number from zero to one.
fraction = Interval(Real, 0, 1, closed="both")
#: Two whole numbers from one up, rows before columns.
pair = Each(natural, length=2)

# Bounds are far above every use: what is larger is a mistake, or meant to take all memory. A
# parameter that only asks for a larger image needs none, as images that are too small are rejected.


def natural_to(most: int) -> Interval:
    """Return the constraint of a whole number from one to ``most``."""
    return Interval(Integral, 1, most, closed="both")


def positive_to(most: float) -> Interval:
    """Return the constraint of a real number above zero, up to ``most``."""
    return Interval(Real, 0, most, closed="right")


def pair_to(most: int) -> Each:
    """Return the constraint of two whole numbers from one to ``most``."""
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
    """Return a value that does not satisfy ``constraint``.

    Raises
    ------
    NotImplementedError
        If the constraint admits every value.
    """
    made = make_constraint(constraint)
    if isinstance(made, Each | Array | Values):
        return made.bad_value()
    # For methods, scikit-learn makes an object that each copy writes in another way.
    return () if isinstance(made, HasMethods) else generate_invalid_param_val(made)
