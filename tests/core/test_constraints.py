from numbers import Real

import numpy as np
import pytest

from featx.core.constraints import (
    Array,
    Each,
    Interval,
    Options,
    StrOptions,
    Values,
    bad_value,
    fraction,
    natural,
    natural_to,
    pair,
    pair_to,
    positive,
    positive_to,
    validate,
)
from featx.core.errors import InvalidParameterError

NAN, INFINITY = float("nan"), float("inf")
DECLARED = {
    "natural": natural,
    "positive": positive,
    "fraction": fraction,
    "pair": pair,
    "each": Each(positive),
    "names": Each(StrOptions({"mean"}), empty=True),
    "array": Array(1, 2),
    "natural to 9": natural_to(9),
    "positive to 9": positive_to(9),
    "pair to 9": pair_to(9),
    "values": Values(natural_to(9), str, Each(natural_to(9))),
}


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("natural", [1, 7, np.int64(3), np.uint8(255)]),
        ("positive", [1, 1e-300, 0.5, 1e300, np.float32(0.1), np.int8(1)]),
        ("fraction", [0, 1, 0.0, 0.3, 1.0, np.float64(0.5)]),
        ("pair", [[1, 2], (3, 3), (np.int32(1), 9)]),
        ("each", [[1], (0.5, 2), [3, np.float32(1), 5], [1] * 1000]),
        ("names", [[], (), ["mean"], ("mean", "mean")]),
        ("natural to 9", [1, 9, np.int64(3)]),
        ("positive to 9", [1e-300, 9, 8.5, np.float32(9)]),
        ("pair to 9", [[1, 9], (9, 9)]),
        ("values", [{}, {"a": 9, "b": "text"}, {"a": (1, 2)}]),
        (
            "array",
            [
                [1],
                (1.0, -2.5),
                [[1, 2], [3, 4]],
                np.eye(2),
                np.array([-128], np.int8),
                np.array([True]),
                [3.4e38],
            ],
        ),
    ],
)
def test_what_is_right(name, right):
    for value in right:
        assert DECLARED[name].is_satisfied_by(value)
        validate({"x": [DECLARED[name]]}, {"x": value}, "Stage")


@pytest.mark.parametrize(
    ("name", "text", "wrong"),
    [
        ("natural", "an int in the range [1, inf)", [0, -1, 1.0, "1", None, INFINITY, 1j]),
        (
            "positive",
            "a float in the range (0.0, inf)",
            [0, -0.0, -1e-9, INFINITY, np.float32("inf"), NAN, "1", None, 1j],
        ),
        (
            "fraction",
            "a float in the range [0.0, 1.0]",
            [-1e-9, 1.0000001, 2, NAN, INFINITY, "0.5"],
        ),
        (
            "pair",
            "a list or tuple of 2 items, each an int in the range [1, inf)",
            [[1], [1, 2, 3], [1, 0], [1, 2.0], 3, "12", {1, 2}, np.array([1, 2]), []],
        ),
        (
            "each",
            "a list or tuple of 1 to 1000 items, each a float in the range (0.0, inf)",
            [[], (), [1, NAN], [INFINITY], [[1]], 1, np.array([1.0]), {1: 1}, [1] * 1001],
        ),
        (
            "names",
            "a list or tuple of 0 to 1000 items, each a str among {'mean'}",
            ["mean", ["median"], [None], {"mean"}],
        ),
        ("natural to 9", "an int in the range [1, 9]", [0, 10, 10**18, 1.0, None]),
        ("positive to 9", "a float in the range (0.0, 9.0]", [0, 9.000001, 1e300, INFINITY, NAN]),
        (
            "pair to 9",
            "a list or tuple of 2 items, each an int in the range [1, 9]",
            [[1, 10], [10**18, 1], [1], 9],
        ),
        (
            "values",
            "a dict of values that are an int in the range [1, 9] or an instance of 'str' or a "
            "list or tuple of 1 to 1000 items, each an int in the range [1, 9]",
            [{"a": 10}, {"a": "b", "c": None}, {"a": [1, 10]}, {"a": {"b": 1}}, [1], None],
        ),
        (
            "array",
            "a finite array of 1 or 2 dimensions, not empty",
            [
                1,
                [],
                np.zeros((0, 3)),
                np.zeros((1, 1, 1)),
                [[1], [1, 2]],
                [NAN],
                [1, INFINITY],
                [1e39],
                [10**30],
                [1j],
                ["1"],
                [None],
                "1",
                {1: 1},
            ],
        ),
    ],
)
def test_what_is_wrong(name, text, wrong):
    for value in wrong:
        with pytest.raises(InvalidParameterError) as error:
            validate({"x": [DECLARED[name]]}, {"x": value}, "Stage")
        assert str(error.value) == (
            f"The 'x' parameter of Stage must be {text}. Got {value!r} instead."
        )


def test_strings_are_listed_in_the_order_of_the_alphabet():
    names = ["valid", "same", "edge", "zero", "reflect"]
    with pytest.raises(InvalidParameterError) as error:
        validate({"x": [StrOptions({*names})]}, {"x": "none"}, "Stage")
    assert str(error.value) == (
        "The 'x' parameter of Stage must be a str among {'edge', 'reflect', 'same', 'valid', "
        "'zero'}. Got 'none' instead."
    )


def test_one_constraint_of_several_must_hold():
    constraints = {"size": [natural, pair, None], "kernel": [Array(1)]}
    for size in (3, [1, 2], None):
        validate(constraints, {"size": size, "kernel": [1.5]}, "Stage")
    with pytest.raises(InvalidParameterError) as error:
        validate(constraints, {"size": "3", "kernel": [1.5]}, "Stage")
    assert str(error.value) == (
        "The 'size' parameter of Stage must be an int in the range [1, inf), a list or tuple of "
        "2 items, each an int in the range [1, inf) or None. Got '3' instead."
    )
    with pytest.raises(InvalidParameterError) as error:
        validate(constraints, {"size": None, "kernel": []}, "Stage")
    assert str(error.value) == (
        "The 'kernel' parameter of Stage must be a finite array of 1 dimension, not empty. "
        "Got [] instead."
    )


@pytest.mark.parametrize(
    "constraint",
    [
        *DECLARED.values(),
        Each(fraction, length=3),
        Each(pair),
        Array(3),
        Interval(Real, None, 0, closed="right"),
        StrOptions({"mean"}),
    ],
    ids=str,
)
def test_bad_values_are_bad(constraint):
    assert not constraint.is_satisfied_by(bad_value(constraint))


def test_bad_values_of_one_place_only():
    # Only one property is invalid, to show that this property is checked.
    assert bad_value(pair) == [0, 0]
    assert bad_value(Each(StrOptions({"mean"}), empty=True))[0] not in ("mean", None)
    assert np.isnan(bad_value(Array(2, 3))).all()
    assert bad_value(Array(2, 3)).shape == (2, 2)


@pytest.mark.parametrize("constraint", [None, Options(int, {1})])
def test_some_constraints_have_no_bad_values(constraint):
    with pytest.raises(NotImplementedError):
        bad_value(constraint)
