"""Pooling over windows, over grids of cells and over whole maps."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from featx.core.constraints import Each, StrOptions, fraction, natural, natural_to, pair, pair_to
from featx.core.errors import InputError
from featx.core.stage import Image, ImageStage, Requirements

Float64 = NDArray[np.float64]


class _Pool(ImageStage):
    """Base class of the pooling stages: windows, strides and padding."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "pool_size": [natural, pair],
        "stride": [natural, pair, None],
        "padding": [StrOptions({"valid", "same"})],
    }

    def __init__(
        self,
        pool_size: int | Sequence[int] = 2,
        stride: int | Sequence[int] | None = None,
        padding: str = "valid",
    ) -> None:
        self.pool_size = pool_size
        self.stride = stride
        self.padding = padding

    def _requirements(self) -> Requirements:
        return Requirements(_pair(self.pool_size) if self.padding == "valid" else (1, 1))

    def _feature_names(self, channels: list[str], shape: tuple[int, ...]) -> list[str]:
        return channels

    def _pool(
        self, image: Image, combine: Callable[[NDArray[Any], NDArray[Any]], Any], outside: float
    ) -> Any:
        """Combine the entries of each window, rows first; ``outside`` is the padding value."""
        sizes = _pair(self.pool_size)
        strides = sizes if self.stride is None else _pair(self.stride)
        for axis, (size, stride) in enumerate(zip(sizes, strides, strict=True)):
            count, before, after = _windows(image.shape[axis], size, stride, self.padding)
            if before or after:
                around = [(0, 0)] * 3
                around[axis] = (before, after)
                image = np.pad(image, around, constant_values=outside)
            span = (count - 1) * stride + 1
            entries = (
                image[(slice(None),) * axis + (slice(first, first + span, stride),)]
                for first in range(size)
            )
            pooled: Image = next(entries).copy()
            for entry in entries:
                combine(pooled, entry)
            image = pooled
        return image


class MaxPool(_Pool):
    """Max pooling: the maximum of each window.

    Parameters
    ----------
    pool_size : int or (int, int), default=2
        Height and width of the windows.
    stride : int or (int, int), optional
        Vertical and horizontal distance between windows; defaults to the window size.
    padding : {"valid", "same"}, default="valid"
        ``"valid"`` uses only windows inside the map, :math:`1 + (d - k) // s` along an axis of
        :math:`d` entries. ``"same"`` results in :math:`⌈d / s⌉` windows; those at the border
        contain fewer pixels.

    Notes
    -----
    Accepts maps (height, width, c). Returns smaller maps with the same number of channels.

    See Also
    --------
    AveragePool : Average pooling.

    Examples
    --------
    >>> import numpy as np
    >>> from featx import MaxPool
    >>> image = np.array([[29, 15, 28, 184], [0, 100, 70, 38],
    ...                   [12, 12, 7, 2], [12, 12, 45, 6]], dtype=np.float32)
    >>> MaxPool(pool_size=2).fit_transform([image])[0, :, :, 0]
    array([[100., 184.],
           [ 12.,  45.]], dtype=float32)
    """

    def _transform_one(self, image: Image) -> Image:
        pooled: Image = self._pool(image, lambda a, b: np.maximum(a, b, out=a), -np.inf)
        return pooled


class AveragePool(_Pool):
    """Average pooling: the mean of each window.

    Parameters
    ----------
    pool_size : int or (int, int), default=2
        Height and width of the windows.
    stride : int or (int, int), optional
        Vertical and horizontal distance between windows; defaults to the window size.
    padding : {"valid", "same"}, default="valid"
        As in `MaxPool`. With ``"same"``, windows at the border average only the pixels inside the
        map; padding does not count.

    Notes
    -----
    Accepts maps (height, width, c). Returns smaller maps with the same number of channels.

    See Also
    --------
    MaxPool : Max pooling.

    Examples
    --------
    >>> import numpy as np
    >>> from featx import AveragePool
    >>> image = np.array([[29, 15, 28, 184], [0, 100, 70, 38],
    ...                   [12, 12, 7, 2], [12, 12, 45, 6]], dtype=np.float32)
    >>> AveragePool(pool_size=2).fit_transform([image])[0, :, :, 0]
    array([[36., 80.],
           [12., 15.]], dtype=float32)
    """

    def _transform_one(self, image: Image) -> Image:
        total = self._pool(image, lambda a, b: np.add(a, b, out=a), 0)
        if self.padding == "valid":
            held: Any = np.float32(np.prod(_pair(self.pool_size)))
        else:
            ones = np.ones((*image.shape[:2], 1), np.float32)
            held = self._pool(ones, lambda a, b: np.add(a, b, out=a), 0)
        return np.asarray(total / held, np.float32)


def _mean_square(values: Float64) -> Float64:
    return np.asarray(np.einsum("pc,pc->c", values, values) / len(values))


def _log_energy(values: Float64) -> Float64:
    # Below the resolution of single precision for values of about one; black images stay finite.
    return np.log(np.maximum(_mean_square(values), 1e-14))


#: Statistics per channel: functions from values (pixels, channels) to (channels,).
STATISTICS = MappingProxyType[str, Callable[[Float64], Float64]](
    {
        "mean": lambda values: values.mean(axis=0),
        "mean_absolute": lambda values: np.abs(values).mean(axis=0),
        "mean_square": _mean_square,
        "log_energy": _log_energy,
        "standard_deviation": lambda values: values.std(axis=0),
        "minimum": lambda values: values.min(axis=0),
        "maximum": lambda values: values.max(axis=0),
    }
)


class Summarize(ImageStage):
    r"""Global pooling: statistics of each map over all pixels.

    Parameters
    ----------
    statistics : list of str, default=("mean",)
        Statistics of each channel :math:`x` over all pixels:

        - ``"mean"``, ``"mean_absolute"``, ``"mean_square"`` (the energy),
          ``"standard_deviation"``, ``"minimum"``, ``"maximum"``;
        - ``"log_energy"``: :math:`\ln \max(\overline{x^2}, 10^{-14})`;
        - ``"energy_ratio"``: the energy of each channel except the first, divided by the energy of
          the first; 0 if the latter is 0.
    quantiles : list of float, default=()
        Quantiles of each channel, as fractions in [0, 1], with linear interpolation.

    Raises
    ------
    ValueError
        If ``"energy_ratio"`` is requested for maps of one channel.

    Notes
    -----
    Accepts maps (height, width, c). Returns vectors of the first statistic of every channel, then
    the second of every channel, and so on; quantiles are last. Sums are computed in double
    precision.

    See Also
    --------
    SpatialPyramid : Pooling over the cells of grids.

    Examples
    --------
    >>> import numpy as np
    >>> from featx import Summarize
    >>> image = np.array([[1.0, 3.0]], dtype=np.float32)
    >>> summary = Summarize(statistics=["mean", "mean_square"], quantiles=[0.5])
    >>> summary.fit_transform([image])
    array([[2., 5., 2.]], dtype=float32)
    >>> summary.get_feature_names_out().tolist()
    ['gray_mean', 'gray_mean_square', 'gray_quantile_0.5']
    """

    gives = "vectors"
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "statistics": [Each(StrOptions({*STATISTICS, "energy_ratio"}))],
        "quantiles": [Each(fraction, empty=True)],
    }

    def __init__(
        self, statistics: Sequence[str] = ("mean",), quantiles: Sequence[float] = ()
    ) -> None:
        self.statistics = statistics
        self.quantiles = quantiles

    def _transform_one(self, image: Image) -> NDArray[np.float32]:
        values = image.reshape(-1, image.shape[2]).astype(np.float64)
        parts = [
            _energy_ratio(values) if name == "energy_ratio" else STATISTICS[name](values)
            for name in self.statistics
        ]
        if len(self.quantiles) > 0:
            parts.append(np.quantile(values, self.quantiles, axis=0).ravel())
        return np.concatenate(parts).astype(np.float32)

    def _feature_names(self, channels: list[str], shape: tuple[int, ...]) -> list[str]:
        names = [
            f"{channel}_{name}"
            for name in self.statistics
            for channel in channels[name == "energy_ratio" :]
        ]
        return names + [f"{c}_quantile_{q:g}" for q in self.quantiles for c in channels]


class SpatialPyramid(ImageStage):
    r"""Spatial pyramid pooling: a statistic of each map over the cells of several grids.

    Along an axis of :math:`d` pixels, the boundaries of :math:`n` cells are at
    :math:`\lfloor i d / n \rfloor, i = 0 \dots n`.

    Parameters
    ----------
    levels : list of int or of (int, int), default=(1, 2, 4)
        The grids, each as rows and columns of cells, or as one number for both.
    statistic : str, default="mean"
        Statistic of each channel in each cell: one of `Summarize`, except ``"energy_ratio"``.

    Notes
    -----
    Accepts maps (height, width, c). Returns vectors ordered by level, row, column and channel. In
    contrast to [1]_, levels are not weighted; scale the features before the classifier if needed.

    References
    ----------
    .. [1] S. Lazebnik, C. Schmid and J. Ponce, "Beyond Bags of Features: Spatial Pyramid
       Matching for Recognizing Natural Scene Categories", CVPR 2006.

    Examples
    --------
    >>> import numpy as np
    >>> from featx import SpatialPyramid
    >>> image = np.array([[1.0, 3.0], [5.0, 7.0]], dtype=np.float32)
    >>> SpatialPyramid(levels=[1, 2]).fit_transform([image])
    array([[4., 1., 3., 5., 7.]], dtype=float32)
    """

    gives = "vectors"
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "levels": [Each(natural_to(1000)), Each(pair_to(1000))],
        "statistic": [StrOptions(set(STATISTICS))],
    }

    def __init__(
        self, levels: Sequence[int] | Sequence[Sequence[int]] = (1, 2, 4), statistic: str = "mean"
    ) -> None:
        self.levels = levels
        self.statistic = statistic

    def _requirements(self) -> Requirements:
        return Requirements(
            tuple(max(sizes) for sizes in zip(*map(_pair, self.levels), strict=True))
        )

    def _transform_one(self, image: Image) -> NDArray[np.float32]:
        statistic, values = STATISTICS[self.statistic], image.astype(np.float64)
        levels = [_by_cell(statistic, values, *sizes) for sizes in map(_pair, self.levels)]
        return np.concatenate(levels).astype(np.float32)

    def _feature_names(self, channels: list[str], shape: tuple[int, ...]) -> list[str]:
        return [
            f"{channel}_{rows}x{columns}_{row}_{column}"
            for rows, columns in map(_pair, self.levels)
            for row in range(rows)
            for column in range(columns)
            for channel in channels
        ]


def _pair(value: int | Sequence[int]) -> tuple[int, int]:
    if isinstance(value, Sequence):
        rows, columns = value
        return rows, columns
    return value, value


def _windows(length: int, size: int, stride: int, padding: str) -> tuple[int, int, int]:
    """Return the number of windows along an axis, and the padding before and after it."""
    if padding == "valid":
        return 1 + (length - size) // stride, 0, 0
    count = -(-length // stride)
    missing = max((count - 1) * stride + size - length, 0)
    return count, missing // 2, missing - missing // 2


def _by_cell(
    statistic: Callable[[Float64], Float64], values: Float64, rows: int, columns: int
) -> Float64:
    """Compute a statistic in the cells of one grid, row by row."""
    height, width, channels = values.shape
    if height % rows == 0 and width % columns == 0:
        # Cells of equal size are processed together, as additional channels.
        cells = values.reshape(rows, height // rows, columns, width // columns, channels)
        return statistic(cells.transpose(1, 3, 0, 2, 4).reshape(-1, rows * columns * channels))
    return np.concatenate(
        [
            statistic(values[top:bottom, left:right].reshape(-1, channels))
            for top, bottom in _cells(height, rows)
            for left, right in _cells(width, columns)
        ]
    )


def _cells(length: int, count: int) -> list[tuple[int, int]]:
    return list(pairwise(index * length // count for index in range(count + 1)))


def _energy_ratio(values: Float64) -> Float64:
    if values.shape[1] < 2:
        raise InputError(
            "Summarize: energy_ratio requires at least two channels, got 1. Use a union of the "
            "stages to compare before Summarize."
        )
    energy = _mean_square(values)
    return energy[1:] / energy[0] if energy[0] > 0 else np.zeros(len(energy) - 1)
