"""Sound files to signals. As with images, a file is read whole or refused."""

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

# The fastest that sound hardware goes. The filter of a resampling is as long as the rate is high.
_HIGHEST_RATE = 768_000
_RIGHT = "Known formats: WAV, FLAC and Ogg (Vorbis or Opus), complete and not damaged."
_Path = str | bytes | os.PathLike[Any]
#: What was found wrong: a reason from `REASONS`, and a sentence.
_Found = tuple[str, str]


class ReadAudio(ImageStage):
    r"""Sound files as signals.

    Parameters
    ----------
    rate : int, optional, default=22050
        Samples a second, to which each sound is resampled; None leaves each as it is in its file.
    mode : {"mono", "stereo"}, default="mono"
        The mean of all channels; or two channels, left and right, which are the same where the
        file has one.
    max_samples : int, default=100_000_000
        Files of more samples, in all channels together, are refused by their headers, and those
        that would have more after resampling before it.
    max_bytes : int, default=1073741824
        Files of more bytes are refused before they are read.

    Raises
    ------
    RefusedImage
        If a file cannot be read whole, contains NaN, or is silent; `featx.io.files.REASONS` lists
        the reasons.
    ImportError
        If soundfile, which decodes, is not installed: ``pip install 'featx[audio]'``.

    See Also
    --------
    ToneBank : The tones in a signal.

    Notes
    -----
    Takes paths (str, bytes or `pathlib.Path`); gives signals, float32 with full scale at
    [-1, 1], of shape (length,), or (length, 2) for ``mode="stereo"``. Arrays (length,) or
    (length, channels) in the place of paths are taken to have the right rate, and are brought to
    mono or stereo; int16 is scaled to [-1, 1].

    Formats are told by content: WAV, FLAC, and Ogg with Vorbis or Opus. A WAV file whose header
    promises more samples than there are, or contradicts itself, is refused, as is an Ogg file
    that lacks pages; other readers give what is left. A sound is silent where all its samples
    are the same.

    Resampling is `scipy.signal.resample_poly`: zero-phase low-pass filtering at the lower of the
    two Nyquist frequencies. :math:`n` samples become :math:`⌈n \cdot \text{new rate} /
    \text{old rate}⌉`. Files of more than 768,000 samples a second are refused where they would
    be resampled.

    Examples
    --------
    >>> from featx import ReadAudio
    >>> ReadAudio().transform(["no-such-file.wav"])
    Traceback (most recent call last):
    featx.core.errors.RefusedImage: no-such-file.wav: missing: there is no such file.
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
                image, "unsupported", f"it has {sound.shape[1]} channels, and not one or two."
            )
        signal = _mixed(sound, self.mode)
        if self.rate is None or self.rate == rate:
            return signal
        if rate > _HIGHEST_RATE:
            raise RefusedImage(
                image,
                "unsupported",
                f"it has {rate} samples a second, and more than {_HIGHEST_RATE} are not resampled.",
            )
        samples = -(-signal.size * self.rate // rate)
        if samples > self.max_samples:
            raise RefusedImage(
                image,
                "too-large",
                f"it has {rate} samples a second; at {self.rate} it would have {samples} in all, "
                f"more than max_samples={self.max_samples}.",
            )
        return resample(signal, rate, self.rate)

    def _feature_names(self, channels: list[str], shape: tuple[int, ...]) -> list[str]:
        return ["signal"] if self.mode == "mono" else ["left", "right"]


def read_sound(
    path: _Path, max_samples: int = 100_000_000, max_bytes: int = MOST_BYTES
) -> tuple[NDArray[np.float32], int]:
    """Read one file; the parameters are those of `ReadAudio`.

    Returns
    -------
    ndarray of shape (length, channels)
    int
        Samples a second.
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
        raise RefusedImage(path, "corrupt", "some of its samples are NaN or infinite.")
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
                raise RefusedImage(path, "empty", "it has a header, and no samples.")
            if frames * channels > max_samples:
                raise RefusedImage(
                    path,
                    "too-large",
                    f"it has {frames} x {channels} samples, more than max_samples={max_samples}.",
                )
            sound: NDArray[np.float32] = file.read(dtype="float32", always_2d=True)
            rate: int = file.samplerate
    except soundfile.LibsndfileError as error:
        problem = error.error_string.rstrip(".")
        kind = "unsupported" if "unimplemented" in problem else "corrupt"
        detail = f"as a {known} file it is broken ({problem})."
        raise RefusedImage(path, kind, detail) from None
    if len(sound) < frames:
        detail = f"its header promises {frames} samples, but there are {len(sound)}."
        raise RefusedImage(path, "truncated", detail)
    return sound, rate


def resample(signal: NDArray[np.float32], rate: int, new_rate: int) -> NDArray[np.float32]:
    """Change the number of samples a second."""
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
            "ReadAudio takes paths, or signals as arrays (length,) or (length, channels) of "
            f"floating point or int16, but got one of shape {array.shape} and type {array.dtype}."
        )
    return array.reshape(len(array), -1).astype(np.float32)


def _soundfile() -> Any:
    if find_spec("soundfile") is None:
        raise MissingDependencyError(
            "Sounds need soundfile, which is not installed. To install it: "
            "pip install 'featx[audio]'"
        )
    import soundfile

    return soundfile


def _format(content: bytes) -> str | None:
    """Tell the format by the first bytes."""
    if content[:4] == b"RIFF" and content[8:12] == b"WAVE":
        return "WAV"
    return {b"fLaC": "FLAC", b"OggS": "Ogg"}.get(content[:4])


# What libsndfile forgives and featx does not.


def _wav_damage(content: bytes) -> _Found | None:
    """Compare what the header of a WAV file says with itself, and with the file's length."""
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
    return "corrupt", "its header is followed by no samples."


def _wav_format_damage(
    kind: int, channels: int, rate: int, bytes_a_second: int, block: int, bits: int
) -> _Found | None:
    """Check that the fields of a WAV file's format agree."""
    if channels == 0 or rate == 0:
        return "corrupt", f"its header says {channels} channels and {rate} samples a second."
    sizes = (channels * -(-bits // 8), rate * block)
    if kind in _PLAIN and (block, bytes_a_second) != sizes:
        return "corrupt", (
            f"its header contradicts itself: {channels} channels of {bits} bits, blocks "
            f"of {block} bytes, {bytes_a_second} bytes a second at {rate} samples."
        )
    return None


def _wav_samples_damage(block: int, size: int, there: int) -> _Found | None:
    """Check that the bytes of samples in a WAV file are as many as its header promises."""
    if block == 0:
        return "corrupt", "its samples come before it says what they are."
    # Programs that write to a pipe do not know the size.
    if size > there and size != _UNKNOWN:
        return "truncated", f"its header promises {size} bytes of samples, but there are {there}."
    if size == 0 and there > 0:
        return "corrupt", f"its header says that it has no samples, but {there} bytes follow."
    return None


_UNKNOWN = 2**32 - 1
#: Whole numbers, floating point, and either with more said: compressed samples have other blocks.
_PLAIN = (1, 3, 0xFFFE)


def _wav_chunks(content: bytes) -> Iterator[tuple[bytes, int, int]]:
    """List the parts of a WAV file: name, where it starts, and the size that it claims."""
    position = 12
    while position + 8 <= len(content):
        name, size = struct.unpack_from("<4sI", content, position)
        yield name, position + 8, size
        position += 8 + size + size % 2


def _ogg_damage(content: bytes) -> _Found | None:
    """Check the pages of an Ogg file: whole, in order, up to one that says that it is the last."""
    position, last, numbers = 0, False, dict[bytes, int]()
    while position < len(content):
        if content[position : position + 4] != b"OggS":
            return "corrupt", "between its pages there is something else."
        body = position + 27 + content[position + 26] if position + 26 < len(content) else math.inf
        if body > len(content):
            return "truncated", "it ends within a page."
        end = int(body) + sum(content[position + 27 : int(body)])
        if end > len(content):
            return "truncated", "it ends within a page."
        page = bytearray(content[position:end])
        checksum = bytes(page[22:26])
        page[22:26] = bytes(4)
        if _ogg_checksum(page) != checksum:
            return "corrupt", "the checksum of one of its pages is wrong."
        stream, number = bytes(page[14:18]), int.from_bytes(page[18:22], "little")
        if numbers.setdefault(stream, number) != number:
            return "corrupt", "one of its pages is missing."
        numbers[stream] += 1
        last = bool(page[5] & 4)
        position = end
    return None if last else ("truncated", "its last page is missing.")


_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def _ogg_checksum(page: bytes | bytearray) -> bytes:
    """Compute Ogg's checksum: zlib's with all bits in the other order, and nothing inverted."""
    found = zlib.crc32(page.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return found.to_bytes(4, "big").translate(_REVERSED)


def _flac_damage(content: bytes) -> _Found | None:
    """Find nothing: FLAC carries checksums of its own, which libsndfile verifies."""
    return None


_DAMAGE = {"WAV": _wav_damage, "Ogg": _ogg_damage, "FLAC": _flac_damage}
