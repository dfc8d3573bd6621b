"""The one way a loop is compiled: numba, without the GIL, cached on disk."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

import numba

_P = ParamSpec("_P")
_R = TypeVar("_R")


def compiled(loop: Callable[_P, _R]) -> Callable[_P, _R]:
    """Compile ``loop`` to machine code at its first call.

    The GIL is released while it runs, so that the threads of a `Stream` work side by side, and
    the machine code is cached beside the file, so that the next process starts without compiling.
    Division by zero gives infinity or NaN, as in numpy: a check would keep loops from being
    vectorised.
    Import this module only from the file of a stage: numba takes most of a second to load, and
    a stage's file is loaded when the stage is first used.
    """
    return cast("Callable[_P, _R]", numba.njit(loop, nogil=True, cache=True, error_model="numpy"))
