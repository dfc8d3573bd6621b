"""GIST: mean filter magnitudes by scale, orientation and image block."""

from collections.abc import Sequence
from functools import lru_cache
from numbers import Integral
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.fft import fft2, ifft

from featx.core.compiled import compiled
from featx.core.constraints import Each, Interval, natural_to, pair, positive
from featx.core.stage import Image, ImageStage, Requirements

# Smaller transfer values are dropped; rounding to single precision has the same magnitude.
_NEGLIGIBLE = 1e-6
# Filters per group. Fewer calls reduce waiting between threads; fewer maps stay in cache.
_TOGETHER = 4
# Border and minimum divisor of the prefilter in LMgist.
_PREFILTER_BORDER = 5
_PREFILTER_FLOOR = 0.2


class GIST(ImageStage):
    r"""GIST: mean magnitudes of oriented filter responses on a coarse grid.

    The image is scaled to [0, 255] and its local contrast is normalized. Let :math:`x` be the
    logarithm of one plus the image, and :math:`G` a Gaussian low pass that halves the amplitude at
    :math:`f_c` cycles per image. The prefilter computes

    .. math:: y = x - G x, \qquad z = \frac{y}{0.2 + \sqrt{|G y^2|}}

    The filter of scale :math:`s = 0, 1, \dots` and orientation :math:`o = 0 \dots n_s - 1` has the
    following transfer function at frequency :math:`f` in cycles per pixel and direction
    :math:`\phi`, counter-clockwise from the horizontal axis:

    .. math::
        H(f, \phi) = \exp\left(-3.5 \left(\frac{f}{f_s} - 1\right)^2
        - 2 \pi \frac{n_s^2}{64} (\phi - \phi_o)^2\right),
        \qquad f_s = \frac{0.3}{1.85^s}, \quad \phi_o = \frac{\pi o}{n_s}

    with :math:`\phi - \phi_o` in :math:`[-\pi, \pi]`. The filter passes one half of the frequency
    plane: the response is complex, and its magnitude is the local energy independent of phase.
    Each feature is the mean magnitude over a block.

    Parameters
    ----------
    orientations_per_scale : list of int, default=(8, 8, 8, 8)
        Number of orientations :math:`n_s` at each scale, from fine to coarse.
    blocks : (int, int), default=(4, 4)
        Rows and columns of blocks.
    prefilter : float or None, default=4.0
        Cut-off :math:`f_c` in cycles per image (its longer side). None disables scaling, logarithm
        and contrast normalization.
    boundary_extension : int, default=32
        Number of pixels by which the image is reflected beyond its border before filtering.

    Raises
    ------
    ValueError
        If an image has fewer rows or columns than blocks.

    See Also
    --------
    GaborBank : Responses to Gabor filters at each pixel.

    Notes
    -----
    Accepts maps (height, width, c). Returns vectors of :math:`c \cdot \sum_s n_s \cdot b_r b_c`
    entries, ordered by channel, scale, orientation, block *column* and block *row*. Values and
    order equal those of LMgist, the authors' code. A constant image results in 0. Several channels
    share the local contrast of their mean.

    LMgist averages colors to gray, and resizes and crops to a square, by default of 128 pixels;
    here both are done when reading images. The paper uses principal components of the features,
    LMgist uses blocks. For non-square images, LMgist measures frequency in cycles per width and
    height. Here it is in cycles per pixel, so that orientations are preserved.

    References
    ----------
    .. [1] A. Oliva and A. Torralba, "Modeling the Shape of the Scene: A Holistic Representation
       of the Spatial Envelope", International Journal of Computer Vision 42(3), 2001.

    Examples
    --------
    >>> import numpy as np
    >>> from featx import GIST
    >>> rows, columns = np.mgrid[:64, :64]
    >>> upright = 0.5 + 0.5 * np.cos(2 * np.pi * 0.162 * columns)  # frequency of the second scale
    >>> gist = GIST(orientations_per_scale=[4, 4], blocks=(1, 1))
    >>> (vector,) = gist.fit_transform([upright.astype(np.float32)])
    >>> str(gist.get_feature_names_out()[vector.argmax()])
    'gray_scale1_orientation0_block0_0'
    """

    gives = "vectors"
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "orientations_per_scale": [Each(natural_to(1000))],
        "blocks": [pair],
        "prefilter": [positive, None],
        "boundary_extension": [Interval(Integral, 0, 10_000, closed="both")],
    }

    def __init__(
        self,
        orientations_per_scale: Sequence[int] = (8, 8, 8, 8),
        blocks: Sequence[int] = (4, 4),
        prefilter: float | None = 4.0,
        boundary_extension: int = 32,
    ) -> None:
        self.orientations_per_scale = orientations_per_scale
        self.blocks = blocks
        self.prefilter = prefilter
        self.boundary_extension = boundary_extension

    def _requirements(self) -> Requirements:
        rows, columns = self.blocks
        return Requirements((rows, columns))

    def _transform_one(self, image: Image) -> NDArray[np.float32]:
        if self.prefilter is not None:
            image = _even_contrast(image, float(self.prefilter))
        border, (rows, columns) = self.boundary_extension, self.blocks
        height, width = (size + 2 * border for size in image.shape[:2])
        groups = _filters(height, width, tuple(self.orientations_per_scale))
        means = np.empty(
            (image.shape[2], sum(self.orientations_per_scale), columns, rows), np.float32
        )
        for channel in range(image.shape[2]):
            padded = np.pad(image[..., channel], border, mode="symmetric")
            by_row = fft2(padded)
            by_column = np.ascontiguousarray(by_row.T)
            for group in groups:
                spectrum = by_row if group.by_row else by_column
                responses = _responses(spectrum, group, border).view(np.float32)
                blocks = (columns, rows) if group.by_row else (rows, columns)
                found = _block_means(responses, border, *blocks)
                means[channel, group.numbers] = found if group.by_row else found.swapaxes(1, 2)
        return means.ravel()

    def _feature_names(self, channels: list[str], shape: tuple[int, ...]) -> list[str]:
        rows, columns = self.blocks
        return [
            f"{channel}_scale{scale}_orientation{orientation}_block{row}_{column}"
            for channel in channels
            for scale, count in enumerate(self.orientations_per_scale)
            for orientation in range(count)
            for column in range(columns)
            for row in range(rows)
        ]


# Prefilter


def _even_contrast(image: Image, cutoff: float) -> Image:
    """Scale, take logarithms, remove low frequencies and normalize the local contrast.

    Computed in double precision: in a constant sky, the difference is far smaller than the
    removed low frequencies.
    """
    least, greatest = float(image.min()), float(image.max())
    if least == greatest:
        return np.zeros_like(image)
    scaled = np.log1p((image.astype(np.float64) - least) * (255 / (greatest - least)))
    height, width = (size + 2 * _PREFILTER_BORDER for size in image.shape[:2])
    # LMgist transforms a square of even side.
    side = max(height, width)
    side += side % 2
    basis = _low_pass_basis(side, cutoff)
    first = (_PREFILTER_BORDER, _PREFILTER_BORDER)
    square = np.pad(scaled, (first, first, (0, 0)), mode="symmetric")
    square = np.pad(square, ((0, side - height), (0, side - width), (0, 0)), mode="symmetric")
    channels = np.ascontiguousarray(np.moveaxis(square, 2, 0))
    channels -= _low_pass(channels, basis)
    deviation = np.sqrt(np.abs(_low_pass(channels.mean(axis=0) ** 2, basis)))
    channels /= _PREFILTER_FLOOR + deviation
    down, across = (slice(_PREFILTER_BORDER, size - _PREFILTER_BORDER) for size in (height, width))
    return np.moveaxis(channels[:, down, across], 0, 2).astype(np.float32)


@lru_cache(maxsize=32)
def _low_pass_basis(side: int, cutoff: float) -> NDArray[np.float64]:
    r"""Return the matrix :math:`B` for which :math:`B B^T` is a periodic Gaussian low pass.

    Its columns are the few sines and cosines that the Gaussian passes. Two products with it cost
    less than Fourier transforms.
    """
    frequency = np.arange(side // 2 + 1)
    passed = np.exp(-(frequency**2) * (np.log(2) / cutoff**2))
    twice = np.where((frequency == 0) | (2 * frequency == side), 1, 2)
    waves = np.exp(2j * np.pi / side * np.outer(np.arange(side), frequency))
    waves = (waves * np.sqrt(passed * twice / side))[:, passed > 1e-12]
    basis = np.hstack([waves.real, waves.imag[:, 1:]])
    basis.setflags(write=False)
    return basis


def _low_pass(maps: NDArray[np.float64], basis: NDArray[np.float64]) -> NDArray[np.float64]:
    low: NDArray[np.float64] = basis @ (basis.T @ maps @ basis) @ basis.T
    return low


# Filters


class _Group(NamedTuple):
    """Filters that are applied together, each restricted to a rectangle of the frequency plane.

    The rectangle is stored as rows or columns, whichever are cheaper to transform.
    """

    by_row: bool
    #: Indices of the filters.
    numbers: list[int]
    #: For each filter: first line, number of lines, start within a line, length.
    boxes: NDArray[np.int64]
    #: Transfer values in the rectangles, one line after the other.
    transfers: NDArray[np.float32]


@lru_cache(maxsize=8)
def _filters(height: int, width: int, orientations_per_scale: tuple[int, ...]) -> list[_Group]:
    """Compute the filters for one image size, scale by scale."""
    across, down = np.meshgrid(np.fft.fftfreq(width), np.fft.fftfreq(height))
    frequency, direction = np.hypot(across, down), np.arctan2(-down, across)
    filters: dict[bool, list[tuple[int, list[int], NDArray[Any]]]] = {False: [], True: []}
    scales = [(s, o) for s, count in enumerate(orientations_per_scale) for o in range(count)]
    for number, (scale, orientation) in enumerate(scales):
        count = orientations_per_scale[scale]
        along = 3.5 * (frequency * 1.85**scale / 0.3 - 1) ** 2
        turn = direction - np.pi * orientation / count
        turn += 2 * np.pi * (turn < -np.pi)
        transfer = np.exp(-along - 2 * np.pi * (count / 8 * turn) ** 2)
        passes = transfer > _NEGLIGIBLE
        rows, columns = _extent(passes.any(axis=1)), _extent(passes.any(axis=0))
        passed = transfer[np.ix_(rows, columns)].astype(np.float32)
        box = [rows[0], len(rows), columns[0], len(columns)]
        by_row = len(rows) * width < len(columns) * height
        if not by_row:
            passed, box = passed.T, box[2:] + box[:2]
        filters[by_row].append((number, box, passed))
    return [
        _group(by_row, some[start : start + _TOGETHER])
        for by_row, some in filters.items()
        for start in range(0, len(some), _TOGETHER)
    ]


def _group(by_row: bool, filters: list[tuple[int, list[int], NDArray[Any]]]) -> _Group:
    numbers, boxes, passed = zip(*filters, strict=True)
    transfers = np.concatenate([lines.ravel() for lines in passed])
    transfers.setflags(write=False)
    return _Group(by_row, [*numbers], np.array(boxes, np.int64), transfers)


def _extent(used: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the shortest circular run of positions that contains all used ones."""
    (positions,) = np.nonzero(used)
    gaps = np.diff(positions, append=positions[0] + len(used))
    widest = int(gaps.argmax())
    first = positions[(widest + 1) % len(positions)]
    run: NDArray[np.int64] = (first + np.arange(len(used) + 1 - gaps[widest])) % len(used)
    return run


def _responses(spectrum: NDArray[np.complex64], group: _Group, border: int) -> NDArray[Any]:
    """Compute the complex responses up to phase, with the lines inside the border as rows.

    The passed frequencies are moved to the lowest ones, which changes only the phase. The first
    inverse transform then covers few lines, the second only lines inside the border.

    Returns
    -------
    ndarray of shape (filters, length of a line without its border, lines)
    """
    count, length = spectrum.shape
    lines = np.empty((group.boxes[:, 1].sum(), length), np.complex64)
    _pass(spectrum.view(np.float32), group.boxes, group.transfers, lines.view(np.float32))
    lines = ifft(lines, axis=1, overwrite_x=True)
    crossing = np.empty((len(group.boxes), length - 2 * border, count), np.complex64)
    # A complex64 is moved as one float64, which is faster.
    _cross(lines.view(np.float64), group.boxes, border, crossing.view(np.float64))
    return np.asarray(ifft(crossing, axis=2, overwrite_x=True))


# These loops treat complex numbers as pairs of real numbers, which vectorize better.


@compiled
def _pass(
    spectrum: NDArray[np.float32],
    boxes: NDArray[np.int64],
    transfers: NDArray[np.float32],
    lines: NDArray[np.float32],
) -> None:
    """Multiply the spectrum by the transfer values of each filter."""
    length = spectrum.shape[1] // 2
    line = used = 0
    for number in range(len(boxes)):
        first, count, start, size = boxes[number]
        before = min(size, length - start)
        for n in range(count):
            source, out = spectrum[(first + n) % len(spectrum)], lines[line]
            factors = transfers[used : used + size]
            part = source[2 * start :]
            for j in range(before):
                out[2 * j] = part[2 * j] * factors[j]
                out[2 * j + 1] = part[2 * j + 1] * factors[j]
            rest, factors = out[2 * before :], factors[before:]
            for j in range(size - before):
                rest[2 * j] = source[2 * j] * factors[j]
                rest[2 * j + 1] = source[2 * j + 1] * factors[j]
            out[2 * size :] = 0
            line, used = line + 1, used + size


@compiled
def _cross(
    lines: NDArray[np.float64],
    boxes: NDArray[np.int64],
    border: int,
    crossing: NDArray[np.float64],
) -> None:
    """Transpose the lines of each filter, without their border, and pad them with zeros."""
    line = 0
    for number in range(len(boxes)):
        count = boxes[number, 1]
        for i in range(crossing.shape[1]):
            out = crossing[number, i]
            for n in range(count):
                out[n] = lines[line + n, border + i]
            out[count:] = 0
        line += count


@compiled
def _block_means(
    responses: NDArray[np.float32], border: int, rows: int, columns: int
) -> NDArray[np.float32]:
    """Compute the mean magnitude of each block; rows have a border at both ends."""
    height, width = responses.shape[1], responses.shape[2] // 2 - 2 * border
    squares, sums = np.empty(2 * width, np.float32), np.empty(width, np.float32)
    means = np.empty((len(responses), rows, columns), np.float32)
    for number in range(len(responses)):
        for row in range(rows):
            top, bottom = row * height // rows, (row + 1) * height // rows
            sums[:] = 0
            for i in range(top, bottom):
                line = responses[number, i, 2 * border :]
                for j in range(2 * width):
                    squares[j] = line[j] * line[j]
                for j in range(width):
                    sums[j] += np.sqrt(squares[2 * j] + squares[2 * j + 1])
            for column in range(columns):
                left, right = column * width // columns, (column + 1) * width // columns
                total = np.float32(0)
                for j in range(left, right):
                    total += sums[j]
                means[number, row, column] = total / ((bottom - top) * (right - left))
    return means
