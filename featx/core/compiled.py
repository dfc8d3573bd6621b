"""Compilation of loops with numba."""

from collections.abc import Callable
from functools import partial
from typing import ParamSpec, TypeVar, cast

import numba

_P = ParamSpec("_P")
_R = TypeVar("_R")


def compiled(loop: Callable[_P, _R]) -> Callable[_P, _R]:
    """Compile ``loop`` to machine code at its first call.

    The loop releases the GIL, so that the threads of a `Stream` run in parallel. The machine code
    is cached on disk: in ``NUMBA_CACHE_DIR`` if that is set, in ``__pycache__`` beside the file,
    or in the user's cache folder. If none of them is writable, each process compiles again.

    Division by zero returns infinity or NaN, as in numpy: a check would prevent vectorization.

    Import this module only from the file of a stage. Numba needs most of a second to load, and a
    stage's file is loaded when the stage is first used.
    """
    compile_ = partial(numba.njit, loop, nogil=True, error_model="numpy")
    try:
        made = compile_(cache=True)
    except RuntimeError:  # none of numba's cache folders is writable
        made = compile_()
    return cast("Callable[_P, _R]", made)
