"""Attribution maps: contributions of image regions to a prediction."""

from collections.abc import Sequence
from itertools import chain
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, StandardScaler
from sklearn.svm import SVC, NuSVC

from featx.classifiers.kernel_map import KernelMap
from featx.core.descriptor_sets import DescriptorSet
from featx.core.stage import ImageStage
from featx.encoders.encoder import Encoder
from featx.networks.conv_net import ConvNet
from featx.pipeline.stream import Stream

Float64 = NDArray[np.float64]
#: Number of rows and columns of an attribution map.
SIDE = 48
#: Steps that transform each entry of a vector independently of the others.
_ENTRY_BY_ENTRY = (KernelMap, MaxAbsScaler, MinMaxScaler, StandardScaler)


def attribute(
    model: Pipeline, images: Sequence[Any], answers: Sequence[int]
) -> tuple[NDArray[np.float32], str]:
    r"""Compute the contributions of image regions to predictions of a fitted model.

    For a convolutional network, the map is Grad-CAM. For a linear classifier on encoded local
    descriptors, it is the contribution of each descriptor to the score of the class minus the mean
    score of all classes. A contribution is spread evenly over the descriptor's patch.

    The decomposition is exact. The steps :math:`\phi_j` between encoder and classifier transform
    each entry :math:`v_j` of the encoded vector independently. A score is therefore
    :math:`\sum_j w_j \phi_j(0) + b` plus the sum of
    :math:`c_j = w_j (\phi_j(v_j) - \phi_j(0))`. `Encoder.parts` distributes each :math:`c_j` over
    the descriptors.

    Parameters
    ----------
    model : Pipeline
        A `Stream` that ends in an encoder, followed by other steps; or a `ConvNet` alone.
    images : sequence
        Input of the model.
    answers : sequence of int
        For each image, the index of the class to explain in ``model.classes_``.

    Returns
    -------
    maps : ndarray of float32, (n, 48, 48)
        The attribution maps; empty if the model is not supported.
    reason : str
        Why the model is not supported, or "".
    """
    if isinstance(model[-1], ConvNet) and len(model) == 1:
        return _grad_cams(model[-1], images, answers)
    none = np.zeros((0, SIDE, SIDE), np.float32)
    encoders = _encoders(model[0].stages) if isinstance(model[0], Stream) else []
    if reason := _obstacle(model, encoders):
        return none, reason
    *between, last = (step for _, step in model.steps[1:])
    weights = _beyond_mean(class_weights(last))
    maps = []
    for image, label in zip(images, answers, strict=True):
        drawn = _of_descriptors(encoders, between, weights[label], image)
        if drawn is None:
            return none, "the local descriptors have no positions"
        maps.append(drawn)
    return np.stack([*none, *maps]).astype(np.float32) if maps else none, ""


def _obstacle(model: Pipeline, encoders: list[tuple[list[Any], Encoder]]) -> str:
    """Return why the scores of a model are not a sum over descriptors, or ""."""
    if not encoders:
        return "the model has no encoder of local descriptors"
    if not all(any(map(_gives_descriptors, before)) for before, _ in encoders):
        return "a store of local descriptors does not record the size of their patches"
    *between, last = (step for _, step in model.steps[1:])
    if class_weights(last) is None:
        return f"the scores of {type(last).__name__} are not linear in its input"
    for step in between:
        if not isinstance(step, _ENTRY_BY_ENTRY):
            return f"{type(step).__name__} combines entries of the encoded vectors"
    return ""


def _beyond_mean(weights: Any) -> NDArray[Any]:
    """Subtract the mean over classes from weights; expand one row to two classes first."""
    if len(weights) == 1:
        weights = np.concatenate([-weights, weights])
    beyond: NDArray[Any] = weights - weights.mean(axis=0)
    return beyond


def class_weights(classifier: Any) -> NDArray[Any] | None:
    """Return the weights (classes or 1, d) of a linear classifier, None for other classifiers."""
    classes = len(classifier.classes_)
    weights = getattr(classifier, "coef_", None)
    if not isinstance(weights, np.ndarray) or weights.ndim != 2:
        return None
    if isinstance(classifier, SVC | NuSVC) and classes > 2:
        return None  # weights per pair of classes
    return weights if len(weights) == (1 if classes == 2 else classes) else None


def _grad_cams(
    net: ConvNet, images: Sequence[Any], answers: Sequence[int]
) -> tuple[NDArray[np.float32], str]:
    # Imported here: torch is an optional dependency.
    from featx.explanation.networks import block_maps, grad_cam

    maps = np.zeros((len(images), SIDE, SIDE), np.float32)
    if len(images) and not block_maps(net, images[0]):
        return maps[:0], "the network has no convolutional layer, which Grad-CAM requires"
    for drawn, image, label in zip(maps, images, answers, strict=True):
        drawn[:] = cv2.resize(grad_cam(net, image, label), (SIDE, SIDE))
    return maps, ""


def _encoders(stages: Sequence[Any]) -> list[tuple[list[Any], Encoder]]:
    """List the parallel encoders at the end of stages, each with the stages before it."""
    *before, last = stages
    if isinstance(last, FeatureUnion):
        found = [_encoders([*before, branch]) for _, branch in last.transformer_list]
        return [*chain.from_iterable(found)] if all(found) else []
    if isinstance(last, Pipeline):
        return _encoders([*before, *(step for _, step in last.steps)])
    return [(before, last)] if before and isinstance(last, Encoder) else []


def _of_descriptors(
    encoders: list[tuple[list[Any], Encoder]], between: list[Any], weights: Float64, image: Any
) -> Float64 | None:
    """Map the contribution of each descriptor to a score; return None without positions."""
    sets = [Stream(before).transform([image])[0] for before, _ in encoders]
    if any(found.positions is None or found.size is None for found in sets):
        return None
    pairs = list(zip(encoders, sets, strict=True))
    vectors = [encoder.transform([found])[0] for (_, encoder), found in pairs]
    vector = np.concatenate(vectors)
    mapped = np.stack([vector, np.zeros_like(vector)])
    for step in between:
        mapped = step.transform(mapped)
    shares = weights * np.subtract(*mapped.astype(np.float64))
    # A step that expands entries returns blocks of len(vector): sum the blocks.
    shares = shares.reshape(-1, len(vector)).sum(axis=0)
    ends = np.cumsum([len(one) for one in vectors])[:-1]
    drawn = np.zeros((SIDE, SIDE))
    for ((_, encoder), found), own in zip(pairs, np.split(shares, ends), strict=True):
        drawn += spread(found, encoder.parts(found, own))
    return drawn


def _gives_descriptors(stage: Any) -> bool:
    return isinstance(stage, ImageStage) and stage.gives == "descriptors"


def spread(found: DescriptorSet, parts: Float64) -> Float64:
    """Spread a value per descriptor evenly over its support.

    Patches are clipped to the image; the sum of the map is the sum of the values.
    """
    centers = found.relative_positions.astype(np.float64)
    sides = np.ones(len(found)) if found.scales is None else found.support * found.scales
    halves = sides[:, np.newaxis] / np.asarray(found.size) / 2
    low = np.clip(np.rint(SIDE * (centers - halves)), 0, SIDE - 1).astype(int)
    high = np.clip(np.rint(SIDE * (centers + halves)), low + 1, SIDE).astype(int)
    heights = parts / (high - low).prod(axis=1)
    # Signed corners: their cumulative sum over rows and columns fills the patches.
    corners = np.zeros((SIDE + 1, SIDE + 1))
    (top, left), (bottom, right) = low.T, high.T
    np.add.at(corners, (top, left), heights)
    np.add.at(corners, (bottom, right), heights)
    np.subtract.at(corners, (top, right), heights)
    np.subtract.at(corners, (bottom, left), heights)
    drawn: Float64 = corners.cumsum(axis=0).cumsum(axis=1)[:SIDE, :SIDE]
    return drawn
