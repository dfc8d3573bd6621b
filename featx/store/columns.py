"""Conversion of vectors and descriptor sets to and from Parquet columns."""

import json
from typing import Any

import numpy as np
import pyarrow

from featx.core.descriptor_sets import DescriptorSet

#: Key of the store's metadata in the Parquet schema.
METADATA = b"featx"
_TEXT, _FLOAT = pyarrow.string(), pyarrow.float32()


def descriptor_sets(rows: Any) -> list[DescriptorSet]:
    """Return the descriptor sets of a table, one per row."""
    dimensions = rows.schema.field("features").type.value_type.list_size
    values = _pieces(rows["features"], (-1, dimensions))
    positions = _pieces(rows["positions"], (-1, 2))
    scales = _pieces(rows["scales"], (-1,))
    sizes = zip(rows["height"].to_pylist(), rows["width"].to_pylist(), strict=True)
    return [
        DescriptorSet(found, places, lengths, None if None in size else size)
        for found, places, lengths, size in zip(values, positions, scales, sizes, strict=True)
    ]


def _pieces(lists: Any, shape: tuple[int, ...]) -> list[Any]:
    """Return a column of lists as one array per row, None for null."""
    lists = lists.combine_chunks()
    flat = lists.flatten()
    flat = flat.flatten() if len(shape) == 2 else flat
    numbers = flat.to_numpy(zero_copy_only=False).reshape(shape)
    pieces, start = list[Any](), 0
    for length in lists.value_lengths().to_pylist():
        pieces.append(None if length is None else numbers[start : start + length])
        start += length or 0
    return pieces


def make_schema(about: dict[str, Any]) -> Any:
    """Return the schema of a store of vectors or of descriptor sets."""
    row = pyarrow.list_(_FLOAT, about["dimensions"])
    fields = {
        **dict.fromkeys(["path", "label", "status", "reason", "detail"], _TEXT),
        "size": pyarrow.int64(),
        "modified": pyarrow.timestamp("ns"),
        "sha256": _TEXT,
        "features": pyarrow.list_(row) if about["sets"] else row,
    }
    if about["sets"]:
        fields["positions"] = pyarrow.list_(pyarrow.list_(_FLOAT, 2))
        fields["scales"] = pyarrow.list_(_FLOAT)
        fields["height"] = fields["width"] = pyarrow.int32()
    return pyarrow.schema(fields, metadata={METADATA: json.dumps(about)})


def vector_column(results: list[Any], schema: Any) -> Any:
    """Return vectors as a column of fixed-size lists; None becomes null."""
    size = schema.field("features").type.list_size
    missing = np.array([result is None for result in results])
    vectors = np.zeros((len(results), size), np.float32)
    for index, result in enumerate(results):
        if result is not None:
            vectors[index] = result
    flat = pyarrow.array(vectors.ravel())
    return pyarrow.FixedSizeListArray.from_arrays(flat, size, mask=pyarrow.array(missing))


def set_columns(results: list[Any], schema: Any) -> dict[str, Any]:
    """Return descriptor sets as columns; None becomes null."""
    size = schema.field("features").type.value_type.list_size
    sets = [result or DescriptorSet(np.empty((0, size), np.float32)) for result in results]
    sizes = [found.size or (None, None) for found in sets]
    return {
        "features": _lists([None if result is None else result.values for result in results], size),
        "positions": _lists([found.positions for found in sets], 2),
        "scales": _lists([found.scales for found in sets], None),
        "height": [height for height, _ in sizes],
        "width": [width for _, width in sizes],
    }


def _lists(arrays: list[Any], size: int | None) -> Any:
    """Return arrays as a column of lists; None becomes null."""
    there = [array for array in arrays if array is not None]
    joined = np.concatenate(there) if there else np.empty((0, size or 1), np.float32)
    values = pyarrow.array(joined.astype(np.float32, copy=False).ravel())
    if size is not None:
        values = pyarrow.FixedSizeListArray.from_arrays(values, size)
    lengths = [0 if array is None else len(array) for array in arrays]
    offsets = pyarrow.array(np.concatenate([[0], np.cumsum(lengths)]), pyarrow.int32())
    missing = pyarrow.array([array is None for array in arrays])
    return pyarrow.ListArray.from_arrays(offsets, values, mask=missing)
