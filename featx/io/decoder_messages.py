"""Collection of libtiff errors, and suppression of Pillow's and libtiff's output.

The error handler of libtiff and the log handlers of Pillow are global. They are replaced when the
first thread starts to decode, and restored when the last one ends. Other threads are not affected.
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
    """Collect the names of the libtiff modules that report an error in this thread.

    Pillow ignores these errors, and returns pixels that libtiff could not decode. Warnings, log
    records and messages of Pillow and libtiff are suppressed in this thread.
    """
    errors: list[str] = []
    with _warnings, _Listening(errors):
        yield errors


class _Heard(threading.local):
    """The libtiff errors of this thread, or None outside of `decoder_messages`."""

    errors: list[str] | None = None


_heard = _Heard()
_HANDLER = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p)


def _receive(module: bytes | None, message: bytes | None, values: int | None) -> None:
    if _heard.errors is not None:
        _heard.errors.append((module or b"libtiff").decode("latin-1"))
    elif before := _Listening.before:
        _HANDLER(before)(module, message, values)


# libtiff keeps only the address: this reference keeps the handler alive.
_handler = _HANDLER(_receive)
_ADDRESS = ctypes.cast(_handler, ctypes.c_void_p).value


@cache
def _set_handler() -> Any:
    """Return the function that sets the error handler of Pillow's libtiff and returns the last.

    If the symbol is hidden, the returned function has no effect. Warnings of libtiff need no
    handler, since Pillow disables them.
    """
    try:
        found = ctypes.CDLL(_imaging.__file__).TIFFSetErrorHandler
    except (AttributeError, OSError):
        return lambda address: address
    found.argtypes, found.restype = [ctypes.c_void_p], ctypes.c_void_p
    return found


class _Listening:
    """Replace libtiff's error handler, and logging's last-resort handler, while threads decode.

    Parameters
    ----------
    errors : list of str
        Extended by the names of the libtiff modules that report an error in this thread.
    """

    #: Address of the previous handler of libtiff.
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
                if present != _ADDRESS:  # another library has set its handler in the meantime
                    _set_handler()(present)
