"""Gabor filters: even and odd responses, energy and magnitude."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from numbers import Real
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft2, next_fast_len, rfft2

from featx.core.constraints import Each, Interval, StrOptions, natural_to, positive, positive_to
from featx.core.errors import InputError
from featx.core.stage import Image, ImageStage, Requirements
from featx.filters.convolve import PADDINGS, correlate, interleave, pad, read_only
from featx.filters.edges import line_angle

# Below this number of entries, direct correlation is faster than a Fourier transform.
_SMALL_KERNEL = 121
_LARGEST_KERNEL = 4096  # pixels per side
# Kernels of each response: 0 is the even and 1 the odd kernel.
_PARTS = MappingProxyType(
    {"even": (0,), "odd": (1,), "both": (0, 1), "energy": (0, 1), "magnitude": (0, 1)}
)


class GaborBank(ImageStage):
    r"""Gabor filters at several frequencies and orientations.

    Let :math:`u = x \sin\theta + y \cos\theta` be the distance from a line of orientation
    :math:`\theta` through the center (:math:`x` to the right, :math:`y` downwards). Let :math:`v`
    be the distance along the line. The even and the odd kernel of frequency :math:`f` are

    .. math::
        e = w \, (\cos 2 \pi f u - d), \qquad o = -w \sin 2 \pi f u, \qquad
        w = \frac{\gamma}{2 \pi \sigma^2} \exp\left(-\frac{u^2 + \gamma^2 v^2}{2\sigma^2}\right)

    where :math:`d` makes the even kernel sum to zero. The bandwidth :math:`b` in octaves
    determines the width of the kernel relative to its period:

    .. math:: \sigma f = \frac{1}{\pi} \sqrt{\frac{\ln 2}{2}} \cdot \frac{2^b + 1}{2^b - 1}

    Even and odd responses model *simple cells* of the primary visual cortex, which respond to a
    line or an edge at one position. The energy :math:`e^2 + o^2` models *complex cells*, which
    respond to bright and dark lines at any position in their receptive field.

    Parameters
    ----------
    frequencies : list of float, default=(0.25, 0.177, 0.125, 0.0884)
        Cycles per pixel, in (0, 0.5].
    orientations : int or list of float, default=8
        Number of orientations, evenly spaced from 0 to 180 degrees, or a list of orientations in
        [0, 180). An orientation is that of the *line*, in degrees counter-clockwise from the
        horizontal axis: 90 detects vertical lines.
    response : {"even", "odd", "both", "energy", "magnitude"}, default="energy"
        The response to the even or to the odd kernel; both, in a channel each, first the even
        one; the energy :math:`e^2 + o^2`; or the magnitude, its square root.
    bandwidth : float, default=1.0
        Full width of the pass band at half maximum, in octaves.
    aspect_ratio : float, default=0.5
        Ratio :math:`\gamma` of the kernel's width across the line to its length along it.
    zero_mean : bool, default=True
        If False, :math:`d = 0`, and even responses depend on the brightness.
    truncate : float, default=3.0
        Radius at which the Gaussian is truncated along rows and columns, in standard deviations.
    padding : {"valid", "zero", "reflect", "edge"}, default="reflect"
        Border handling, as in `Convolve`. ``"valid"`` crops all responses to the valid region of
        the largest kernel.

    Raises
    ------
    ValueError
        If the padding is ``"valid"`` and an image is smaller than the largest kernel.

    See Also
    --------
    OrientedEdges : Less expensive steerable filters at one scale.
    GIST : Energies of similar filters on a coarse grid.

    Notes
    -----
    Accepts images (height, width, channels) and filters each channel separately. For each
    channel, the output has all orientations of the first frequency, then of the second, and so
    on. A grating of amplitude :math:`a` at the filter's frequency and orientation has a magnitude
    of about :math:`a / 2`. Odd responses are positive where the left or the upper side is
    brighter, as in `Sobel`.

    With ``zero_mean=False``, responses equal `skimage.filters.gabor` for the same bandwidth,
    ``theta`` of 90 degrees minus the orientation, and ``sigma_y = sigma_x / aspect_ratio``.
    The rounding error is within single precision relative to the largest sum
    :math:`\sum |x||w|`.

    References
    ----------
    .. [1] J. Daugman, "Uncertainty relation for resolution in space, spatial frequency, and
       orientation optimized by two-dimensional visual cortical filters", JOSA A 2(7), 1985.
    .. [2] J. Jones and L. Palmer, "An evaluation of the two-dimensional Gabor filter model of
       simple receptive fields in cat striate cortex", J. Neurophysiology 58(6), 1987.
    .. [3] E. Adelson and J. Bergen, "Spatiotemporal energy models for the perception of motion",
       JOSA A 2(2), 1985.

    Examples
    --------
    >>> import numpy as np
    >>> from featx import GaborBank
    >>> columns = np.arange(64) * np.ones((64, 1))
    >>> upright = np.cos(2 * np.pi * 0.125 * columns).astype(np.float32)
    >>> bank = GaborBank(frequencies=[0.125], orientations=[0, 90], response="magnitude")
    >>> bank.fit_transform([upright])[0, 32, 32].round(2)
    array([0. , 0.5], dtype=float32)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "frequencies": [Each(Interval(Real, 0, 0.5, closed="right"))],
        "orientations": [natural_to(1000), Each(line_angle)],
        "response": [StrOptions(set(_PARTS))],
        "bandwidth": [positive],
        "aspect_ratio": [positive],
        "zero_mean": ["boolean"],
        "truncate": [positive_to(100)],
        "padding": [PADDINGS],
    }

    def __init__(
        self,
        frequencies: Sequence[float] = (0.25, 0.177, 0.125, 0.0884),
        orientations: int | Sequence[float] = 8,
        response: str = "energy",
        bandwidth: float = 1.0,
        aspect_ratio: float = 0.5,
        zero_mean: bool = True,
        truncate: float = 3.0,
        padding: str = "reflect",
    ) -> None:
        self.frequencies = frequencies
        self.orientations = orientations
        self.response = response
        self.bandwidth = bandwidth
        self.aspect_ratio = aspect_ratio
        self.zero_mean = zero_mean
        self.truncate = truncate
        self.padding = padding

    def _requirements(self) -> Requirements:
        height, width = _largest(self._bank())
        if max(height, width) > _LARGEST_KERNEL:
            raise InputError(
                f"GaborBank: the largest kernel has {height:.0f} x {width:.0f} pixels, the limit "
                f"is {_LARGEST_KERNEL} x {_LARGEST_KERNEL}. Use higher frequencies, or a larger "
                "bandwidth or aspect_ratio."
            )
        return Requirements(_largest(self._bank()) if self.padding == "valid" else (1, 1))

    def _angles(self) -> list[float]:
        if isinstance(self.orientations, Sequence):
            return list(self.orientations)
        return [180 * index / self.orientations for index in range(self.orientations)]

    def _bank(self) -> tuple["_Gabor", ...]:
        shape = self.bandwidth, self.aspect_ratio, self.zero_mean, self.truncate
        return tuple(
            _Gabor(frequency, angle, *shape)
            for frequency in self.frequencies
            for angle in self._angles()
        )

    def _transform_one(self, image: Image) -> Image:
        bank = self._bank()
        padded = pad(image, _largest(bank), self.padding)
        cells = _simple_cells(padded, bank, _PARTS[self.response])
        if self.response in ("even", "odd", "both"):
            return interleave(list(cells))
        # The generator is zipped with itself: it yields the even and the odd response in turn.
        energies = [
            np.square(even) + np.square(odd) for even, odd in zip(cells, cells, strict=True)
        ]
        if self.response == "magnitude":
            energies = [np.sqrt(energy, out=energy) for energy in energies]
        return interleave(energies)

    def _feature_names(self, channels: list[str], shape: tuple[int, ...]) -> list[str]:
        kinds = ["even", "odd"] if self.response == "both" else [self.response]
        return [
            f"{channel}_gabor_{frequency:g}_{angle:g}_{kind}"
            for channel in channels
            for frequency in self.frequencies
            for angle in self._angles()
            for kind in kinds
        ]


class _Gabor(NamedTuple):
    """Parameters of one filter, a pair of an even and an odd kernel."""

    frequency: float
    orientation: float
    bandwidth: float
    aspect_ratio: float
    zero_mean: bool
    truncate: float

    @property
    def deviations(self) -> tuple[float, float]:
        """Standard deviations of the Gaussian across and along the line, in pixels."""
        octaves = 2.0**self.bandwidth
        across = np.sqrt(np.log(2) / 2) / np.pi * (octaves + 1) / (octaves - 1) / self.frequency
        return across, across / self.aspect_ratio

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the kernels, both odd."""
        across, along = self.truncate * np.asarray(self.deviations)
        angle = np.radians(self.orientation)
        down = max(abs(across * np.cos(angle)), abs(along * np.sin(angle)), 1)
        right = max(abs(across * np.sin(angle)), abs(along * np.cos(angle)), 1)
        return 2 * int(np.ceil(down)) + 1, 2 * int(np.ceil(right)) + 1


@lru_cache(maxsize=32)
def _largest(bank: tuple[_Gabor, ...]) -> tuple[int, int]:
    heights, widths = zip(*(gabor.size for gabor in bank), strict=True)
    return max(heights), max(widths)


@lru_cache(maxsize=1024)
def _kernels(gabor: _Gabor) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Sample the even and the odd kernel."""
    height, width = gabor.size
    y, x = np.mgrid[-(height // 2) : height // 2 + 1, -(width // 2) : width // 2 + 1]
    angle = np.radians(gabor.orientation)
    u, v = x * np.sin(angle) + y * np.cos(angle), x * np.cos(angle) - y * np.sin(angle)
    across, along = gabor.deviations
    envelope = np.exp(-((u / across) ** 2 + (v / along) ** 2) / 2) / (2 * np.pi * across * along)
    wave = np.exp(-2j * np.pi * gabor.frequency * u)
    mean = (envelope * wave.real).sum() / envelope.sum() if gabor.zero_mean else 0
    return read_only(envelope * (wave.real - mean)), read_only(envelope * wave.imag)


@lru_cache(maxsize=2)
def _transfers(
    bank: tuple[_Gabor, ...], height: int, width: int
) -> list[tuple[NDArray[np.float32], NDArray[np.float32]] | None]:
    r"""Compute the transfer functions of large kernels for one image size; None for small ones.

    Centered on the first pixel, an even kernel has a real and an odd kernel an imaginary
    transform. Correlation requires the conjugate, hence :math:`-1` times the imaginary part.
    """
    return [_transfer(gabor, height, width) for gabor in bank]


def _transfer(
    gabor: _Gabor, height: int, width: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
    rows, columns = gabor.size
    if rows * columns < _SMALL_KERNEL:
        return None
    placed = np.zeros((2, height, width))
    placed[:, :rows, :columns] = _kernels(gabor)
    even, odd = rfft2(np.roll(placed, (-(rows // 2), -(columns // 2)), axis=(1, 2)))
    return read_only(even.real), read_only(-odd.imag)


def _simple_cells(padded: Image, bank: tuple[_Gabor, ...], parts: Sequence[int]) -> Iterator[Image]:
    """Yield the responses to the selected parts (0 even, 1 odd) of each filter in turn.

    The image must be padded for the largest kernel; the responses cover its valid region.
    """
    largest = _largest(bank)
    size = height, width = tuple(next_fast_len(n, real=True) for n in padded.shape[:2])
    prepared = _transfers(bank, height, width)
    spectra: Sequence[Any] = ()
    if any(transfers is not None for transfers in prepared):
        spectrum = rfft2(np.moveaxis(padded, 2, 0), size)
        spectra = spectrum, 1j * spectrum
    for gabor, transfers in zip(bank, prepared, strict=True):
        for part in parts:
            if transfers is None:
                around = _trim(padded, largest, gabor.size)
                yield correlate(around, _kernels(gabor)[part], "valid")
            else:
                maps = irfft2(spectra[part] * transfers[part], size, overwrite_x=True)
                whole = np.moveaxis(maps, 0, 2)[: padded.shape[0], : padded.shape[1]]
                yield _trim(whole, largest, (1, 1))


def _trim(maps: Image, largest: tuple[int, int], size: tuple[int, int]) -> Image:
    """Crop the border that the largest kernel requires and a kernel of this size does not."""
    rows, columns = (
        slice((most - kernel) // 2, length - (most - kernel) // 2)
        for most, kernel, length in zip(largest, size, maps.shape[:2], strict=True)
    )
    return maps[rows, columns]
