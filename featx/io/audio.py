"""The stage that reads sound files, with integrity checks for WAV and Ogg."""

import math
import os
import struct
import zlib
from collections.abc import Iterator
from importlib.util import find_spec
from io import BytesIO
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly

from featx.core.constraints import StrOptions, natural_to
from featx.core.errors import InputError, MissingDependencyError, RefusedImage
from featx.core.stage import ImageStage
from featx.io.files import MOST_BYTES, REASONS, read_file

# Highest rate of sound hardware. The filter for resampling grows with the rate.
_HIGHEST_RATE = 768_000
_RIGHT = "Supported formats: WAV, FLAC and Ogg (Vorbis or Opus)."
_Path = str | bytes | os.PathLike[Any]
#: A reason from `REASONS`, and the detail.
_Found = tuple[str, str]


class ReadAudio(ImageStage):
    r"""Read sound files as signals.

    Parameters
    ----------
    rate : int, optional, default=22050
        Sampling rate of the output in Hz, to which each sound is resampled. None keeps the rate of
        each file.
    mode : {"mono", "stereo"}, default="mono"
        ``"mono"``: the mean of all channels; ``"stereo"``: left and right channel, which are equal
        if the file has one channel.
    max_samples : int, default=100_000_000
        Maximum number of samples, over all channels. Larger files are rejected by their headers,
        before decoding or resampling.
    max_bytes : int, default=1073741824
        Maximum size of a file. Larger files are rejected without reading.

    Raises
    ------
    RefusedImage
        If a file is rejected, for example if it is damaged, contains NaN or is silent;
        `featx.io.files.REASONS` lists the reasons.
    ImportError
        If soundfile is not installed: ``pip install 'featx[audio]'``.

    See Also
    --------
    ToneBank : Time-frequency representation of a signal.

    Notes
    -----
    The input is a list of paths (str, bytes or `pathlib.Path`) or of arrays (length,) or
    (length, channels). Arrays are converted to mono or stereo, but not resampled; int16 is scaled
    to [-1, 1]. The output is float32 with full scale at [-1, 1], of shape (length,), or
    (length, 2) for ``mode="stereo"``.

    The format is detected from the content: WAV, FLAC, and Ogg with Vorbis or Opus. Damaged files
    are rejected, even if other readers return the remaining samples: WAV files with fewer samples
    than their header states or with a contradictory header, and Ogg files with missing pages. A
    sound is silent if all its samples are equal.

    Sounds are resampled by `scipy.signal.resample_poly`: zero-phase low-pass filtering at the
    lower of the two Nyquist frequencies. :math:`n` samples become :math:`⌈n \cdot \text{new rate} /
    \text{old rate}⌉`. Resampling requires a rate of at most 768,000 Hz; other files are rejected.

    Examples
    --------
    >>> from featx import ReadAudio
    >>> ReadAudio().transform(["no-such-file.wav"])
    Traceback (most recent call last):
    featx.core.errors.RefusedImage: no-such-file.wav: missing: the file does not exist.
    """

    takes = "paths"
    gives = "signals"
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "rate": [natural_to(10**7), None],
        "mode": [StrOptions({"mono", "stereo"})],
        "max_samples": [natural_to(2**30)],
        "max_bytes": [natural_to(2**32)],
    }

    def __init__(
        self,
        rate: int | None = 22_050,
        mode: str = "mono",
        max_samples: int = 100_000_000,
        max_bytes: int = MOST_BYTES,
    ) -> None:
        self.rate = rate
        self.mode = mode
        self.max_samples = max_samples
        self.max_bytes = max_bytes

    def _transform_one(self, image: Any) -> NDArray[np.float32]:
        if isinstance(image, np.ndarray):
            return _mixed(_as_sound(image), self.mode)
        sound, rate = read_sound(image, self.max_samples, self.max_bytes)
        if sound.shape[1] > 2 and self.mode == "stereo":
            raise RefusedImage(
                image,
                "unsupported",
                f"the file has {sound.shape[1]} channels. mode='stereo' supports 1 or 2.",
            )
        signal = _mixed(sound, self.mode)
        if self.rate is None or self.rate == rate:
            return signal
        if rate > _HIGHEST_RATE:
            raise RefusedImage(
                image,
                "unsupported",
                f"the sampling rate is {rate} Hz. Resampling supports at most {_HIGHEST_RATE} Hz.",
            )
        samples = -(-signal.size * self.rate // rate)
        if samples > self.max_samples:
            raise RefusedImage(
                image,
                "too-large",
                f"resampled from {rate} to {self.rate} Hz, the sound has {samples} samples, more "
                f"than max_samples={self.max_samples}.",
            )
        return resample(signal, rate, self.rate)

    def _feature_names(self, channels: list[str], shape: tuple[int, ...]) -> list[str]:
        return ["signal"] if self.mode == "mono" else ["left", "right"]


def read_sound(
    path: _Path, max_samples: int = 100_000_000, max_bytes: int = MOST_BYTES
) -> tuple[NDArray[np.float32], int]:
    """Read one sound file; the parameters are those of `ReadAudio`.

    Returns
    -------
    ndarray of shape (length, channels)
    int
        Sampling rate in Hz.
    """
    content = read_file(path, _format, max_bytes)
    known = _format(content)
    if known is None:
        raise RefusedImage(path, "not-a-sound", f"{REASONS['not-a-sound']}. {_RIGHT}")
    found = _DAMAGE[known](content)
    if found is not None:
        raise RefusedImage(path, *found)
    sound, rate = _decode(path, content, known, max_samples)
    if not np.isfinite(sound).all():
        raise RefusedImage(path, "corrupt", "some samples are NaN or infinite.")
    if (sound == sound[0]).all():
        raise RefusedImage(path, "silent", f"{REASONS['silent']}.")
    return sound, rate


def _decode(
    path: _Path, content: bytes, known: str, max_samples: int
) -> tuple[NDArray[np.float32], int]:
    soundfile = _soundfile()
    try:
        with soundfile.SoundFile(BytesIO(content)) as file:
            frames, channels = file.frames, file.channels
            if frames == 0:
                raise RefusedImage(path, "empty", "the file has a header, but no samples.")
            if frames * channels > max_samples:
                raise RefusedImage(
                    path,
                    "too-large",
                    f"the file has {frames} x {channels} samples, more than "
                    f"max_samples={max_samples}.",
                )
            sound: NDArray[np.float32] = file.read(dtype="float32", always_2d=True)
            rate: int = file.samplerate
    except soundfile.LibsndfileError as error:
        problem = error.error_string.rstrip(".")
        kind = "unsupported" if "unimplemented" in problem else "corrupt"
        detail = f"the {known} file cannot be decoded ({problem})."
        raise RefusedImage(path, kind, detail) from None
    if len(sound) < frames:
        detail = f"the header states {frames} samples, but the file has {len(sound)}."
        raise RefusedImage(path, "truncated", detail)
    return sound, rate


def resample(signal: NDArray[np.float32], rate: int, new_rate: int) -> NDArray[np.float32]:
    """Resample a signal from one sampling rate to another."""
    common = math.gcd(rate, new_rate)
    resampled = resample_poly(signal, new_rate // common, rate // common, axis=0)
    return np.asarray(resampled, np.float32)


def _mixed(sound: NDArray[np.float32], mode: str) -> NDArray[np.float32]:
    if mode == "mono":
        return np.asarray(sound.mean(axis=1), np.float32)
    return np.repeat(sound, 2, axis=1) if sound.shape[1] == 1 else sound


def _as_sound(array: NDArray[Any]) -> NDArray[np.float32]:
    if array.dtype == np.int16:
        array = array / np.float32(2**15)
    if array.dtype.kind != "f" or array.ndim not in (1, 2):
        raise InputError(
            "ReadAudio: expected paths, or signals as arrays (length,) or (length, channels) of "
            f"floating point or int16, but got shape {array.shape} and type {array.dtype}."
        )
    return array.reshape(len(array), -1).astype(np.float32)


def _soundfile() -> Any:
    if find_spec("soundfile") is None:
        raise MissingDependencyError(
            "ReadAudio requires soundfile, which is not installed. Install it: "
            "pip install 'featx[audio]'"
        )
    import soundfile

    return soundfile


def _format(content: bytes) -> str | None:
    """Detect the format from the first bytes."""
    if content[:4] == b"RIFF" and content[8:12] == b"WAVE":
        return "WAV"
    return {b"fLaC": "FLAC", b"OggS": "Ogg"}.get(content[:4])


# Integrity checks: damage that libsndfile does not report.


def _wav_damage(content: bytes) -> _Found | None:
    """Check that the header of a WAV file is consistent and matches the file's length."""
    block = 0
    for name, start, size in _wav_chunks(content):
        there = len(content) - start
        if name == b"fmt " and size >= 16 <= there:
            form = struct.unpack_from("<HHIIHH", content, start)
            if damage := _wav_format_damage(*form):
                return damage
            block = form[4]
        if name == b"data":
            return _wav_samples_damage(block, size, there)
    return "corrupt", "the file has a header, but no samples."


def _wav_format_damage(
    kind: int, channels: int, rate: int, bytes_a_second: int, block: int, bits: int
) -> _Found | None:
    """Check that the fields of a WAV file's format chunk are consistent."""
    if channels == 0 or rate == 0:
        return "corrupt", f"the header states {channels} channels and a rate of {rate} Hz."
    sizes = (channels * -(-bits // 8), rate * block)
    if kind in _PLAIN and (block, bytes_a_second) != sizes:
        return "corrupt", (
            f"the header is inconsistent: {channels} channels of {bits} bits, blocks of {block} "
            f"bytes, and {bytes_a_second} bytes per second at {rate} Hz."
        )
    return None


def _wav_samples_damage(block: int, size: int, there: int) -> _Found | None:
    """Check that a WAV file has as many bytes of samples as its header states."""
    if block == 0:
        return "corrupt", "the samples precede their format."
    # Programs that write to a pipe do not know the size.
    if size > there and size != _UNKNOWN:
        return "truncated", (
            f"the header states {size} bytes of samples, but the file has {there}."
        )
    if size == 0 and there > 0:
        return "corrupt", f"the header states 0 bytes of samples, but {there} bytes follow."
    return None


_UNKNOWN = 2**32 - 1
#: Integer, floating point and extensible format. Compressed formats have blocks of other sizes.
_PLAIN = (1, 3, 0xFFFE)


def _wav_chunks(content: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield the name, start and stated size of each chunk of a WAV file."""
    position = 12
    while position + 8 <= len(content):
        name, size = struct.unpack_from("<4sI", content, position)
        yield name, position + 8, size
        position += 8 + size + size % 2


def _ogg_damage(content: bytes) -> _Found | None:
    """Check that the pages of an Ogg file are intact and in order, up to one marked as last."""
    position, last, numbers = 0, False, dict[bytes, int]()
    while position < len(content):
        if content[position : position + 4] != b"OggS":
            return "corrupt", "unexpected data between pages."
        body = position + 27 + content[position + 26] if position + 26 < len(content) else math.inf
        if body > len(content):
            return "truncated", "the file ends within a page."
        end = int(body) + sum(content[position + 27 : int(body)])
        if end > len(content):
            return "truncated", "the file ends within a page."
        page = bytearray(content[position:end])
        checksum = bytes(page[22:26])
        page[22:26] = bytes(4)
        if _ogg_checksum(page) != checksum:
            return "corrupt", "wrong checksum of a page."
        stream, number = bytes(page[14:18]), int.from_bytes(page[18:22], "little")
        if numbers.setdefault(stream, number) != number:
            return "corrupt", "a page is missing."
        numbers[stream] += 1
        last = bool(page[5] & 4)
        position = end
    return None if last else ("truncated", "the last page is missing.")


_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def _ogg_checksum(page: bytes | bytearray) -> bytes:
    """Compute Ogg's checksum: zlib's CRC-32 with reversed bit order and without inversion."""
    found = zlib.crc32(page.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return found.to_bytes(4, "big").translate(_REVERSED)


def _flac_damage(content: bytes) -> _Found | None:
    """Return None: libsndfile verifies FLAC's own checksums."""
    return None


_DAMAGE = {"WAV": _wav_damage, "Ogg": _ogg_damage, "FLAC": _flac_damage}
