"""Compile loops with numba: without the GIL, cached on disk."""

from collections.abc import Callable
from functools import partial
from typing import ParamSpec, TypeVar, cast

import numba

_P = ParamSpec("_P")
_R = TypeVar("_R")


def compiled(loop: Callable[_P, _R]) -> Callable[_P, _R]:
    """Compile ``loop`` to machine code at its first call.

    The GIL is released while it runs, so that the threads of a `Stream` work side by side. The
    machine code is cached where numba can write: in ``NUMBA_CACHE_DIR`` if that is set, in
    ``__pycache__`` beside the file, or in the user's cache folder. Where it cannot write, each
    process compiles anew.
    Division by zero gives infinity or NaN, as in numpy: a check would keep loops from being
    vectorised.
    Import this module only from the file of a stage: numba takes most of a second to load, and
    a stage's file is loaded when the stage is first used.
    """
    compile_ = partial(numba.njit, loop, nogil=True, error_model="numpy")
    try:
        made = compile_(cache=True)
    except RuntimeError:  # numba finds no folder for its cache
        made = compile_()
    return cast("Callable[_P, _R]", made)
