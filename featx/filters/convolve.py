"""Convolution without kernel flipping, and the border handling of all filters."""

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

import cv2
import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from featx.core.constraints import Array, Each, StrOptions, natural
from featx.core.errors import InputError
from featx.core.stage import Image, ImageStage, Requirements

#: Border handling: "valid" reduces the size; the others pad the image.
PADDINGS = StrOptions({"valid", "zero", "reflect", "edge"})
#: Border types of OpenCV. For "valid" the results at the border are cut off afterwards.
BORDERS = {
    "valid": cv2.BORDER_CONSTANT,
    "zero": cv2.BORDER_CONSTANT,
    "reflect": cv2.BORDER_REFLECT_101,
    "edge": cv2.BORDER_REPLICATE,
}
#: Modes of `numpy.pad`.
_PAD_MODES: dict[str, Any] = {"zero": "constant", "reflect": "reflect", "edge": "edge"}

# From this size on, filter2D uses a Fourier transform; that of matchTemplate is faster.
_LARGE_KERNEL = 121
# Limit on channels in OpenCV.
_MOST_CHANNELS = 128


class Convolve(ImageStage):
    r"""Convolution with a kernel of one, two or three dimensions, without kernel flipping.

    With a kernel :math:`w` of size :math:`k_1 \times k_2`, each channel :math:`x` becomes

    .. math:: y_{i,j} = \sum_{l=1}^{k_1} \sum_{m=1}^{k_2} x_{i+l-1,\, j+m-1} \, w_{l,m}

    A kernel of one dimension is applied along signals, a kernel of three dimensions over height,
    width *and* channels.

    Parameters
    ----------
    kernel : array_like of 1, 2 or 3 dimensions
        The weights, as an array or nested lists, of shape (length,), (height, width) or
        (height, width, channels). A kernel (height, width) is applied to each channel separately.
    padding : {"valid", "zero", "reflect", "edge"}, default="valid"
        Border handling. ``"valid"`` does not pad: an axis of :math:`d` entries is reduced to
        :math:`d - k + 1`. The other modes preserve the size. They pad with zeros, with the
        reflection about the outermost pixel (`numpy.pad`'s ``"reflect"``), or with the outermost
        pixel itself: ``(k - 1) // 2`` entries before and ``k // 2`` after, along every axis of
        the kernel.
    stride : int or list of int, default=1
        Step between results, one number for all axes of the kernel or a list of one per axis.

    Raises
    ------
    ValueError
        If a list ``stride`` does not have one entry per axis of the kernel, or if the padding is
        ``"valid"`` and an image is smaller than the kernel.

    See Also
    --------
    PatternMatch : Template matching, by convolution or normalized cross-correlation.

    Notes
    -----
    Accepts images (height, width, channels) or, if the kernel has one dimension, signals
    (length,) or (length, channels). The output has the same number of dimensions and the same
    order of channels. If the absolute weights sum to :math:`S`, values in [0, 1] result in
    :math:`[-S, S]`.

    As in neural networks, the kernel is not flipped; signal processing calls this operation
    *correlation*. To convolve in the sense of signal processing, flip the kernel along every
    axis first: ``numpy.flip(kernel)``.

    Kernels of 121 or more entries are applied by a Fourier transform, whose error is within
    single precision relative to the largest sum :math:`\sum |x||w|`.

    References
    ----------
    .. [1] I. Goodfellow, Y. Bengio and A. Courville, "Deep Learning", MIT Press, 2016, chapter 9.

    Examples
    --------
    >>> import numpy as np
    >>> from featx import Convolve
    >>> image = np.array([[3, 3, 2, 1, 0],
    ...                   [0, 0, 1, 3, 1],
    ...                   [3, 1, 2, 2, 3],
    ...                   [2, 0, 0, 2, 2],
    ...                   [2, 0, 0, 0, 1]], dtype=np.float32)
    >>> convolve = Convolve(kernel=[[0, 1, 2], [2, 2, 0], [0, 1, 2]])
    >>> convolve.fit_transform([image])[0, :, :, 0]
    array([[12., 12., 17.],
           [10., 17., 19.],
           [ 9.,  6., 14.]], dtype=float32)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "kernel": [Array(1, 2, 3)],
        "padding": [PADDINGS],
        "stride": [natural, Each(natural)],
    }

    def __init__(
        self,
        kernel: ArrayLike,
        padding: str = "valid",
        stride: int | list[int] | tuple[int, ...] = 1,
    ) -> None:
        self.kernel = kernel
        self.padding = padding
        self.stride = stride

    def _requirements(self) -> Requirements:
        dimensions = np.ndim(self.kernel)
        if not isinstance(self.stride, int | np.integer) and len(self.stride) != dimensions:
            raise InputError(
                f"Convolve: stride has {len(self.stride)} numbers, but the kernel has "
                f"{dimensions} dimensions. Pass one number, or one per dimension."
            )
        return Requirements(
            np.shape(self.kernel) if self.padding == "valid" else (1,) * np.ndim(self.kernel),
            signals=np.ndim(self.kernel) == 1,
        )

    def _transform_one(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        kernel = np.asarray(self.kernel, np.float32)
        stride = (
            (int(self.stride),) * kernel.ndim
            if isinstance(self.stride, int | np.integer)
            else self.stride
        )
        if kernel.ndim == 1:
            result = along(image, lambda row: correlate(row, kernel[np.newaxis], self.padding))
        elif kernel.ndim == 2:
            result = correlate(image, kernel, self.padding)
        else:
            result = correlate_volume(image, kernel, self.padding)
        return np.ascontiguousarray(result[tuple(slice(None, None, step) for step in stride)])


def along(signal: NDArray[np.float32], operation: Callable[[Image], Image]) -> NDArray[np.float32]:
    """Apply an image operation to a signal, reshaped to an image of one row."""
    result = operation(signal.reshape(1, len(signal), -1))
    return result.reshape(-1, *signal.shape[1:])


def correlate(image: Image, kernel: NDArray[np.float32], padding: str) -> Image:
    """Correlate each channel with a two-dimensional kernel."""
    height, width = kernel.shape
    if kernel.size < _LARGE_KERNEL:
        anchor = ((width - 1) // 2, (height - 1) // 2)
        direct = partial(
            cv2.filter2D, ddepth=-1, kernel=kernel, anchor=anchor, borderType=BORDERS[padding]
        )
        result: Image = filter_channels(direct, image, kernel.shape, padding)
        return result
    padded = pad(image, kernel.shape, padding)
    return interleave(
        [
            cv2.matchTemplate(np.ascontiguousarray(channel), kernel, cv2.TM_CCORR)[..., np.newaxis]
            for channel in np.moveaxis(padded, 2, 0)
        ]
    )


def correlate_separable(
    image: NDArray[Any],
    column: NDArray[Any],
    row: NDArray[Any],
    padding: str,
    out: NDArray[Any] | None = None,
) -> NDArray[Any]:
    """Correlate each channel with a separable kernel, the outer product of column and row."""
    size = (len(column), len(row))
    anchor = ((len(row) - 1) // 2, (len(column) - 1) // 2)
    separable = partial(
        cv2.sepFilter2D,
        ddepth=-1,
        kernelX=row,
        kernelY=column,
        anchor=anchor,
        borderType=BORDERS[padding],
    )
    result: NDArray[Any] = filter_channels(separable, image, size, padding, out)
    return result


def correlate_volume(image: Image, kernel: NDArray[np.float32], padding: str) -> Image:
    """Correlate with a three-dimensional kernel over height, width and channels."""
    depth = kernel.shape[2]
    if padding != "valid":
        around = ((0, 0), (0, 0), ((depth - 1) // 2, depth // 2))
        image = np.pad(image, around, mode=_PAD_MODES[padding])
    count = image.shape[2] - depth + 1
    # Each slice of the kernel is applied to all output channels at once.
    result = correlate(image[..., :count], kernel[..., 0], padding)
    for n in range(1, depth):
        result += correlate(image[..., n : n + count], kernel[..., n], padding)
    return result


def filter_channels(
    operation: Callable[..., Any],
    image: NDArray[Any],
    size: tuple[int, ...],
    padding: str,
    out: NDArray[Any] | None = None,
) -> Any:
    """Apply a size-preserving OpenCV filter, and crop the result if the padding is "valid".

    Parameters
    ----------
    operation : callable
        An OpenCV function with bound parameters, which filters up to 128 channels at once.
    image : ndarray of shape (height, width, channels)
        The input image.
    size : tuple of int
        Height and width of the kernel.
    padding : str
        One of `PADDINGS`.
    out : ndarray, optional
        Array for the result.

    Returns
    -------
    ndarray of shape (height, width, channels), less ``size - 1`` if ``padding`` is "valid"
        The result in the dtype of ``operation``; ``out`` itself if passed.
    """
    height, width, channels = image.shape
    if out is not None and channels <= _MOST_CHANNELS and padding != "valid":
        operation(image, dst=out)
        return out
    if channels <= _MOST_CHANNELS:
        maps = operation(image).reshape(image.shape)  # OpenCV drops an axis of length one.
    else:
        groups = range(0, channels, _MOST_CHANNELS)
        filtered = [operation(image[..., first : first + _MOST_CHANNELS]) for first in groups]
        maps = np.concatenate([part.reshape(height, width, -1) for part in filtered], axis=2)
    if padding == "valid":
        maps = cut_valid(maps, size)
    if out is None:
        return maps
    out[...] = maps
    return out


def cut_valid(maps: NDArray[Any], size: tuple[int, ...]) -> NDArray[Any]:
    """Crop the results whose kernel extended beyond the border."""
    rows, columns = (
        slice((kernel - 1) // 2, length - kernel // 2)
        for kernel, length in zip(size, maps.shape[:2], strict=True)
    )
    return np.ascontiguousarray(maps[rows, columns])


def pad(image: Image, size: tuple[int, ...], padding: str) -> Image:
    """Pad height and width so that a valid filter of this size preserves the image size."""
    if padding == "valid":
        return image
    around = [((kernel - 1) // 2, kernel // 2) for kernel in size]
    return np.pad(image, (*around, (0, 0)), mode=_PAD_MODES[padding])


def interleave(responses: list[Any]) -> Image:
    """Interleave several responses (height, width, channels) into one array.

    All responses of channel 0 come first, then all responses of channel 1, and so on.
    """
    if len(responses) == 1:
        return np.asarray(responses[0], np.float32)
    height, width, _ = responses[0].shape
    return np.stack(responses, axis=-1, dtype=np.float32).reshape(height, width, -1)


def read_only(weights: ArrayLike, dtype: DTypeLike = np.float32) -> NDArray[Any]:
    """Return a read-only copy, for weights that are cached."""
    array = np.array(weights, dtype)
    array.setflags(write=False)
    return array
