"""Amplitudes of pure tones in signals."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
import scipy.fft
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from featx.core.constraints import Each, StrOptions, natural, natural_to, positive
from featx.core.errors import InputError
from featx.core.stage import Image, ImageStage, Requirements
from featx.filters.convolve import PADDINGS, pad, read_only

_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
#: Names of the notes of a piano, from A0 to C8, with their frequencies in Hz.
NOTES = {
    f"{_NAMES[number % 12]}{number // 12 - 1}": 440 * 2 ** ((number - 69) / 12)
    for number in range(21, 109)
}
# Weight of each harmonic relative to the one below it.
_DECAY = 0.84
# Windows per block, so that a block fits in the cache.
_BLOCK = 64

Float32 = NDArray[np.float32]


class ToneBank(ImageStage):
    r"""Amplitudes of pure tones over time.

    A signal :math:`x` is correlated with pure tones of frequency :math:`f` under a window
    :math:`w` of :math:`W` samples. Each tone is a quadrature pair of a cosine and a sine, so the
    root of the sum of squares does not depend on the phase:

    .. math::
        y_{t,f} = \frac{2}{\sum_n w_n} \sqrt{
        \Big(\sum_{n=0}^{W-1} w_n x_{th+n} \cos \tfrac{2\pi f n}{r}\Big)^2 +
        \Big(\sum_{n=0}^{W-1} w_n x_{th+n} \sin \tfrac{2\pi f n}{r}\Big)^2}

    with a hop of :math:`h` samples between windows, and a sampling rate :math:`r`. The result is
    the amplitude of the tone: a sine of amplitude 1 and frequency :math:`f` results in 1.

    Parameters
    ----------
    frequencies : "notes", list of float or list of str, default="notes"
        Tones as frequencies in Hz or as note names, such as ``["A4", "C#5"]``. ``"notes"`` selects
        all notes from ``lowest`` to ``highest``.
    lowest, highest : str, default="C2" and "C7"
        First and last note if ``frequencies="notes"``. Notes are those of a piano, A0 to C8, in
        equal temperament with A4 at 440 Hz.
    rate : int, default=22050
        Sampling rate of the signals in Hz, as set in `ReadAudio`.
    window_length : int, default=4096
        Length of the Hann window in samples,
        :math:`w_n = \tfrac12 - \tfrac12 \cos \tfrac{2\pi n}{W}`. Tones less than :math:`2r/W` Hz
        apart are not resolved.
    hop_length : int, default=1024
        Samples between the starts of successive windows.
    harmonics : int, default=1
        Number of harmonics of each tone, to detect notes. Amplitudes of the harmonics below
        :math:`r/2` are summed with weights [1]_: :math:`\sum_k 0.84^{k-1} y_{t,kf}`. The largest
        sum is usually at the perceived note, even if one of its overtones is stronger.
    padding : {"valid", "zero", "reflect", "edge"}, default="valid"
        Padding at both ends, as in `Convolve`. ``"valid"`` uses only windows inside the signal.

    Raises
    ------
    ValueError
        If a frequency is not below half of ``rate``; if ``lowest`` is above ``highest``; or if
        the padding is ``"valid"`` and a signal is shorter than the window.

    See Also
    --------
    ReadAudio : Read signals from sound files.
    Convolve : Convolution of signals with any kernel.

    Notes
    -----
    Accepts signals (length,) or (length, channels). Returns maps (1, windows, tones), with
    :math:`1 + ⌊(d - W) / h⌋` windows for :math:`d` samples. Tones of the second channel of a
    signal follow those of the first. `Summarize` pools the maps to vectors of one number per
    tone. `PatternMatch` with a pattern (1, windows, tones) finds a sound in a recording.

    At :math:`f = k r / W` the result equals a short-time Fourier transform for the windows inside
    the signal, to :math:`10^{-5}` of the largest amplitude; in SciPy
    ``2 * abs(ShortTimeFFT(hann(W, sym=False), h, r, scale_to="magnitude").stft(x))``.

    The fastest of three algorithms is selected: a matrix product; Fourier transforms of the
    windows, if all frequencies are multiples of :math:`r / W`; or, for a small ``hop_length``, a
    sliding transform in double precision, which updates each sum by one sample [2]_.

    References
    ----------
    .. [1] D. J. Hermes, "Measurement of pitch by subharmonic summation", Journal of the
       Acoustical Society of America 83(1), 1988.
    .. [2] E. Jacobsen and R. Lyons, "The sliding DFT", IEEE Signal Processing Magazine 20(2), 2003.

    Examples
    --------
    Detect the note of a sound:

    >>> import numpy as np
    >>> from featx import ToneBank
    >>> time = np.arange(22_050) / 22_050
    >>> sound = np.sin(2 * np.pi * 261.63 * time) + 2 * np.sin(2 * np.pi * 2 * 261.63 * time)
    >>> bank = ToneBank(harmonics=8)
    >>> maps = bank.fit_transform([sound])
    >>> maps.shape
    (1, 1, 18, 61)
    >>> bank.get_feature_names_out()[maps.mean(axis=(0, 1, 2)).argmax()]
    'signal_C4'
    """

    takes = "signals"
    gives = "maps"
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "frequencies": [StrOptions({"notes"}), Each(positive), Each(StrOptions(set(NOTES)))],
        "lowest": [StrOptions(set(NOTES))],
        "highest": [StrOptions(set(NOTES))],
        "rate": [natural_to(10**7)],
        "window_length": [natural_to(2**24)],
        "hop_length": [natural],
        "harmonics": [natural],
        "padding": [PADDINGS],
    }

    def __init__(
        self,
        frequencies: str | Sequence[float] | Sequence[str] = "notes",
        lowest: str = "C2",
        highest: str = "C7",
        rate: int = 22_050,
        window_length: int = 4096,
        hop_length: int = 1024,
        harmonics: int = 1,
        padding: str = "valid",
    ) -> None:
        self.frequencies = frequencies
        self.lowest = lowest
        self.highest = highest
        self.rate = rate
        self.window_length = window_length
        self.hop_length = hop_length
        self.harmonics = harmonics
        self.padding = padding

    def _requirements(self) -> Requirements:
        if self.frequencies == "notes" and NOTES[self.lowest] > NOTES[self.highest]:
            raise InputError(f"ToneBank: lowest={self.lowest!r} is above highest={self.highest!r}.")
        for name, frequency in zip(self._names(), self._hertz(), strict=True):
            if 2 * frequency >= self.rate:
                raise InputError(
                    f"ToneBank: {name} is not below {self.rate / 2:g} Hz, half of the sampling "
                    f"rate {self.rate}. Use a higher rate or lower frequencies."
                )
        return Requirements((self.window_length,) if self.padding == "valid" else (1,))

    def _transform_one(self, image: Float32) -> Image:
        signal = image.reshape(1, len(image), -1)
        channels = pad(signal, (1, self.window_length), self.padding)[0].T
        return np.concatenate([self._amplitudes(channel) for channel in channels], axis=1)[None]

    def _amplitudes(self, signal: Float32) -> Float32:
        frequencies, size, hop = self._hertz(), self.window_length, self.hop_length
        if self.harmonics == 1:
            return amplitudes(signal, frequencies, self.rate, size, hop)
        partials, weights = harmonic_sum(frequencies, self.harmonics, self.rate / 2)
        return amplitudes(signal, partials, self.rate, size, hop) @ weights

    def _tones(self) -> list[Any]:
        if self.frequencies != "notes":
            return list(self.frequencies)
        low, high = NOTES[self.lowest], NOTES[self.highest]
        return [name for name, hertz in NOTES.items() if low <= hertz <= high]

    def _hertz(self) -> tuple[float, ...]:
        return tuple(float(NOTES.get(tone, tone)) for tone in self._tones())

    def _names(self) -> list[str]:
        return [tone if isinstance(tone, str) else f"{tone:g}Hz" for tone in self._tones()]

    def _feature_names(self, channels: list[str], shape: tuple[int, ...]) -> list[str]:
        return [f"{channel}_{tone}" for channel in channels for tone in self._names()]


@lru_cache
def harmonic_sum(
    frequencies: tuple[float, ...], harmonics: int, limit: float
) -> tuple[tuple[float, ...], Float32]:
    """Return the harmonics of all frequencies and their weights (harmonics, frequencies)."""
    order = np.arange(1, harmonics + 1)
    # Octaves share harmonics, up to rounding.
    overtones = np.outer(order, frequencies).round(6)
    audible = overtones < limit
    partials, places = np.unique(overtones[audible], return_inverse=True)
    weights = np.zeros((len(partials), len(frequencies)))
    rows, columns = np.nonzero(audible)
    weights[places, columns] = _DECAY**rows
    return tuple(partials.tolist()), read_only(weights)


def amplitudes(
    signal: Float32, frequencies: tuple[float, ...], rate: int, size: int, hop: int
) -> Float32:
    """Compute the amplitude of each tone in each window, (windows, tones)."""
    cycles = np.array(frequencies) * size / rate  # per window
    whole = bool((np.abs(cycles - cycles.round()) < 1e-9).all())
    # Approximate cost per window, in nanoseconds.
    products = 0.1 * size * len(cycles)
    transforms = 0.2 * size * np.log2(size) if whole else np.inf
    sliding = 3 * hop * len(cycles)
    if sliding < min(products, transforms):
        return _by_sliding(signal, frequencies, rate, size, hop)
    if transforms < products:
        return _by_transforms_of_windows(signal, cycles.round().astype(int), size, hop)
    return _by_products(signal, frequencies, rate, size, hop)


def _by_products(
    signal: Float32, frequencies: tuple[float, ...], rate: int, size: int, hop: int
) -> Float32:
    windows = sliding_window_view(signal, size)[::hop]
    kernels, count = quadrature(frequencies, rate, size), len(frequencies)
    found = np.empty((len(windows), count), np.float32)
    for start in range(0, len(windows), _BLOCK):
        block = np.ascontiguousarray(windows[start : start + _BLOCK]) @ kernels
        np.hypot(block[:, :count], block[:, count:], out=found[start : start + _BLOCK])
    return found


def _by_transforms_of_windows(
    signal: Float32, bins: NDArray[np.int_], size: int, hop: int
) -> Float32:
    windows, window = sliding_window_view(signal, size)[::hop], hann(size)
    found = np.empty((len(windows), len(bins)), np.float32)
    for start in range(0, len(windows), _BLOCK):
        block = scipy.fft.rfft(windows[start : start + _BLOCK] * window, axis=1)
        np.abs(block[:, bins], out=found[start : start + _BLOCK])
    return found


def _by_sliding(
    signal: Float32, frequencies: tuple[float, ...], rate: int, size: int, hop: int
) -> Float32:
    """Update each sum from the sample before: subtract the oldest, rotate, add the newest."""
    # Imported here because it loads numba, which the other algorithms do not need.
    from featx.filters.sliding import slide

    samples = signal.astype(np.float64) * 2 / size
    steps, first = neighboring(frequencies, rate, size)
    found = np.empty((1 + (len(signal) - size) // hop, len(frequencies)), np.float32)
    turns, entering, sums = (
        np.stack([parts.real, parts.imag])
        for parts in (np.exp(1j * steps), first[-1], samples[:size] @ first)
    )
    slide(samples, size, hop, turns, entering, sums, found)
    return found


@lru_cache(maxsize=8)
def neighboring(
    frequencies: tuple[float, ...], rate: int, size: int
) -> tuple[NDArray[np.float64], NDArray[np.complex128]]:
    """Return the radians per sample and the waves of the tones and of their neighbors.

    The neighbors are one cycle per window lower and higher: a sum under a Hann window is a
    weighted sum of all three under a rectangular window.
    """
    tones, cycle = 2 * np.pi / rate * np.array(frequencies), 2 * np.pi / size
    steps = np.concatenate([tones, tones - cycle, tones + cycle])
    waves = np.exp(-1j * np.outer(np.arange(size), steps))
    return read_only(steps, np.float64), read_only(waves, np.complex128)


@lru_cache(maxsize=8)
def quadrature(frequencies: tuple[float, ...], rate: int, size: int) -> Float32:
    """Return the windowed tones as columns: all cosines, then all sines."""
    phases = 2 * np.pi / rate * np.outer(np.arange(size), frequencies)
    window = hann(size)[:, np.newaxis].astype(np.float64)
    return read_only(np.hstack([window * np.cos(phases), window * np.sin(phases)]))


@lru_cache(maxsize=8)
def hann(size: int) -> Float32:
    """Return a Hann window, scaled so that a sine of amplitude 1 results in 1."""
    window = 0.5 - 0.5 * np.cos(2 * np.pi / size * np.arange(size))
    # A Hann window of one sample is zero.
    return read_only(window * 2 / (window.sum() or 1))
