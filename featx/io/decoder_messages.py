"""Messages of Pillow and libtiff about the file that featx decodes: collected, not printed.

Their settings belong to the whole process. They are changed when the first thread begins to decode
and restored when the last one ends, and hold for these threads only.
"""

import ctypes
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from PIL import Image, _imaging

from featx.core.warning_filters import IgnoredWarnings

_warnings = IgnoredWarnings(UserWarning, Image.DecompressionBombWarning, module=r"PIL\.")


@contextmanager
def decoder_messages() -> Iterator[list[str]]:
    """List the parts of libtiff that met an error in this thread.

    Pillow does not pass these errors on: pixels that libtiff could not decode are taken as they
    are. Whatever Pillow and libtiff would print is ignored: each file gets its pixels or a reason.
    """
    errors: list[str] = []
    with _warnings, _Listening(errors):
        yield errors


class _Heard(threading.local):
    """The errors of libtiff in this thread; None where it decodes nothing for featx."""

    errors: list[str] | None = None


_heard = _Heard()
_HANDLER = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p)


def _receive(module: bytes | None, message: bytes | None, values: int | None) -> None:
    if _heard.errors is not None:
        _heard.errors.append((module or b"libtiff").decode("latin-1"))
    elif before := _Listening.before:
        _HANDLER(before)(module, message, values)


# libtiff keeps only its address.
_handler = _HANDLER(_receive)
_ADDRESS = ctypes.cast(_handler, ctypes.c_void_p).value


@cache
def _set_handler() -> Any:
    """Find what sets the handler of Pillow's libtiff, and returns the one before.

    Where it is hidden, nothing is set. Warnings need no handler: Pillow mutes them.
    """
    try:
        found = ctypes.CDLL(_imaging.__file__).TIFFSetErrorHandler
    except (AttributeError, OSError):
        return lambda address: address
    found.argtypes, found.restype = [ctypes.c_void_p], ctypes.c_void_p
    return found


class _Listening:
    """Take the place of libtiff's handler, and of the last resort of logging, while threads decode.

    Parameters
    ----------
    errors : list of str
        Receives the parts of libtiff that meet an error in this thread.
    """

    #: The address of the handler that libtiff had.
    before: int | None = None
    _lock, _inside, _log = threading.Lock(), 0, logging.NullHandler()

    def __init__(self, errors: list[str]) -> None:
        self._errors = errors

    def __enter__(self) -> None:
        with self._lock:
            if _Listening._inside == 0:
                logging.getLogger("PIL").addHandler(self._log)
                _Listening.before = _set_handler()(_ADDRESS)
            _Listening._inside += 1
        self._outer, _heard.errors = _heard.errors, self._errors

    def __exit__(self, *exception: object) -> None:
        _heard.errors = self._outer
        with self._lock:
            _Listening._inside -= 1
            if _Listening._inside == 0:
                logging.getLogger("PIL").removeHandler(self._log)
                present = _set_handler()(_Listening.before)
                if present != _ADDRESS:  # another library has set its own since
                    _set_handler()(present)
