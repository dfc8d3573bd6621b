"""Writing of tables as CSV or Parquet."""

from pathlib import Path

import pyarrow
from pyarrow import csv, parquet

from featx.core.errors import OutputError
from featx.io.writing import as_cell


def check_table_name(file: str | Path) -> None:
    """Raise `OutputError` unless the file name ends in .csv or .parquet."""
    if Path(file).suffix.lower() not in (".csv", ".parquet"):
        raise OutputError(f"{file}: the name must end in .csv or .parquet.")


def write_table(table: pyarrow.Table, file: Path) -> None:
    """Write a table in the format of the file's suffix."""
    if file.suffix.lower() == ".parquet":
        parquet.write_table(table, file)
    else:
        csv.write_csv(_as_cells(table), file)


def _as_cells(table: pyarrow.Table) -> pyarrow.Table:
    """Escape text columns, so that spreadsheets do not execute file or class names."""
    for index, field in enumerate(table.schema):
        if pyarrow.types.is_string(field.type):
            cells = pyarrow.array([as_cell(text) for text in table[index].to_pylist()], field.type)
            table = table.set_column(index, field, cells)
    return table
