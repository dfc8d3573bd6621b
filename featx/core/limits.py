"""How large the numbers of a recipe may be: larger ones are mistakes, or meant to take all memory.

What needs only a larger image has no limit here: an image that is too small is refused.
"""

import math
from collections.abc import Iterator, Mapping
from numbers import Real
from typing import Any

#: The largest value of a parameter, by its name; in a list, of each number.
LARGEST: dict[str, float] = {
    "architecture_params": 10_000,
    "boundary_extension": 10_000,
    "Cs": 1000,
    "degree": 10,
    "hidden_layer_sizes": 10_000,
    "image_scales": 16,
    "levels": 1000,
    "max_bytes": 2**31,
    "max_pixels": 10**9,
    "max_samples": 10**9,
    "max_iter": 1_000_000,
    "n_components": 100_000,
    "n_estimators": 100_000,
    "n_jobs": 1000,
    "n_oversamples": 100_000,
    "order": 1000,
    "orientations": 1000,
    "orientations_per_scale": 1000,
    "pyramid": 100,
    "rate": 10**7,
    "sample_steps": 1000,
    "sigma": 1000,
    "sigmas": 1000,
    "size": 4096,
    "truncate": 100,
    "window_length": 2**24,
}
#: The same where one stage differs.
_LARGEST_OF = {("ReadImages", "size"): 2**16}
_MOST_ITEMS = 1000
#: Arrays, which a recipe has whole.
_ARRAYS = ("kernel", "pattern")


def check_limits(owner: str, parameters: Mapping[str, Any]) -> None:
    """Raise ValueError if a parameter is larger than any use that it has."""
    for name, value in parameters.items():
        if isinstance(value, list) and len(value) > _MOST_ITEMS and name not in _ARRAYS:
            raise ValueError(
                f"The {name!r} parameter of {owner} may have {_MOST_ITEMS} items, but has "
                f"{len(value)}."
            )
        largest = _LARGEST_OF.get((owner, name), LARGEST.get(name, math.inf))
        if any(number > largest for number in _numbers(value)):
            raise ValueError(
                f"The {name!r} parameter of {owner} may be {largest} at most. Got {value!r} "
                "instead."
            )


def _numbers(value: Any) -> Iterator[Any]:
    if isinstance(value, list | tuple | dict):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _numbers(one)
    elif isinstance(value, Real):
        yield value
