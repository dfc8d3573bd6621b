"""What parts of an image spoke for a model's answer, and what parts against it."""

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
#: Rows and columns of a map of parts.
SIDE = 48
#: Steps that make of each entry of a vector some of their own, whatever the others are.
_ENTRY_BY_ENTRY = (KernelMap, MaxAbsScaler, MinMaxScaler, StandardScaler)


def attribute(
    model: Pipeline, images: Sequence[Any], answers: Sequence[int]
) -> tuple[NDArray[np.float32], str]:
    r"""Map the parts of images that spoke for a fitted model's answers.

    Of a linear classifier on local descriptors that are encoded, the map is what each descriptor
    adds to the score of the answer beyond the mean of all classes' scores, spread evenly over its
    patch. It is exact: with :math:`\phi_j` the steps between, which take each entry :math:`v_j` of
    an encoded vector by itself, a score is :math:`\sum_j w_j \phi_j(0) + b` and a sum over the
    entries, of :math:`c_j = w_j (\phi_j(v_j) - \phi_j(0))`, which `Encoder.parts` parts among the
    descriptors. Of a convolutional network, it is Grad-CAM.

    Parameters
    ----------
    model : Pipeline
        The model, which begins with a `Stream` that ends in an encoder, or is a `ConvNet` alone.
    images : sequence
        What the model takes.
    answers : sequence of int
        For each image, the position of the class in the model's ``classes_``.

    Returns
    -------
    maps : ndarray of float32, (n, 48, 48)
        None, if there is a reason.
    reason : str
        Why there are none, in words; else "".
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
    for image, answer in zip(images, answers, strict=True):
        drawn = _of_descriptors(encoders, between, weights[answer], image)
        if drawn is None:
            return none, "the local descriptors carry no positions"
        maps.append(drawn)
    return np.stack([*none, *maps]).astype(np.float32) if maps else none, ""


def _obstacle(model: Pipeline, encoders: list[tuple[list[Any], Encoder]]) -> str:
    """Return why the scores of a model are no sums over descriptors; "" where they are."""
    if not encoders:
        return "what is learned is not an encoder of local descriptors"
    if not all(any(map(_gives_descriptors, before)) for before, _ in encoders):
        return "a store of local descriptors does not tell the sides of their patches"
    *between, last = (step for _, step in model.steps[1:])
    if class_weights(last) is None:
        return f"the scores of {type(last).__name__} are not linear in what it takes"
    for step in between:
        if not isinstance(step, _ENTRY_BY_ENTRY):
            return f"{type(step).__name__} mixes the entries of the encoded vectors"
    return ""


def _beyond_mean(weights: Any) -> NDArray[Any]:
    """Subtract the mean over the classes from weights; two classes share a row of either sign."""
    if len(weights) == 1:
        weights = np.concatenate([-weights, weights])
    beyond: NDArray[Any] = weights - weights.mean(axis=0)
    return beyond


def class_weights(classifier: Any) -> NDArray[Any] | None:
    """Give the weights (classes or 1, d) of a linear classifier; None of others."""
    classes = len(classifier.classes_)
    weights = getattr(classifier, "coef_", None)
    if not isinstance(weights, np.ndarray) or weights.ndim != 2:
        return None
    if isinstance(classifier, SVC | NuSVC) and classes > 2:
        return None  # of pairs of classes
    return weights if len(weights) == (1 if classes == 2 else classes) else None


def _grad_cams(
    net: ConvNet, images: Sequence[Any], answers: Sequence[int]
) -> tuple[NDArray[np.float32], str]:
    # torch is an extra.
    from featx.explanation.networks import block_maps, grad_cam

    maps = np.zeros((len(images), SIDE, SIDE), np.float32)
    if len(images) and not block_maps(net, images[0]):
        return maps[:0], "the network has no filters, and Grad-CAM is of their maps"
    for drawn, image, answer in zip(maps, images, answers, strict=True):
        drawn[:] = cv2.resize(grad_cam(net, image, answer), (SIDE, SIDE))
    return maps, ""


def _encoders(stages: Sequence[Any]) -> list[tuple[list[Any], Encoder]]:
    """List the encoders side by side in which stages end, each after the stages before it."""
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
    """Map what each descriptor adds to a score; None if they have no places."""
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
    # Where steps make several entries of one, they stand in rows one after the other.
    shares = shares.reshape(-1, len(vector)).sum(axis=0)
    ends = np.cumsum([len(one) for one in vectors])[:-1]
    drawn = np.zeros((SIDE, SIDE))
    for ((_, encoder), found), own in zip(pairs, np.split(shares, ends), strict=True):
        drawn += spread(found, encoder.parts(found, own))
    return drawn


def _gives_descriptors(stage: Any) -> bool:
    return isinstance(stage, ImageStage) and stage.gives == "descriptors"


def spread(found: DescriptorSet, parts: Float64) -> Float64:
    """Spread a number for each descriptor evenly over its support.

    What lies beyond the border is left out of a patch; the sum of the map is that of the numbers.
    """
    centres = found.relative_positions.astype(np.float64)
    sides = np.ones(len(found)) if found.scales is None else found.support * found.scales
    halves = sides[:, np.newaxis] / np.asarray(found.size) / 2
    low = np.clip(np.rint(SIDE * (centres - halves)), 0, SIDE - 1).astype(int)
    high = np.clip(np.rint(SIDE * (centres + halves)), low + 1, SIDE).astype(int)
    heights = parts / (high - low).prod(axis=1)
    # Corners, of which the sums over rows and columns are the patches.
    corners = np.zeros((SIDE + 1, SIDE + 1))
    (top, left), (bottom, right) = low.T, high.T
    np.add.at(corners, (top, left), heights)
    np.add.at(corners, (bottom, right), heights)
    np.subtract.at(corners, (top, right), heights)
    np.subtract.at(corners, (bottom, left), heights)
    drawn: Float64 = corners.cumsum(axis=0).cumsum(axis=1)[:SIDE, :SIDE]
    return drawn
