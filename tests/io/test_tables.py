import csv
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet

from featx.core.errors import OutputError
from featx.io.tables import check_table_name, write_table

TABLE = pyarrow.table(
    {
        "path": pyarrow.array(["=1+2", "@x", "plain", None], pyarrow.string()),
        "strength": pyarrow.array([-1.5, 2.0, None, 0.25]),
        "reason": pyarrow.array([None, "-", "\t=1", "ok"], pyarrow.string()),
    }
)


def test_csv_has_no_cell_that_is_a_formula_and_numbers_stay_numbers(tmp_path):
    write_table(TABLE, tmp_path / "t.CSV")
    with open(tmp_path / "t.CSV", newline="") as file:
        assert list(csv.reader(file)) == [
            ["path", "strength", "reason"],
            ["'=1+2", "-1.5", ""],
            ["'@x", "2", "'-"],
            ["plain", "", "'\t=1"],
            ["", "0.25", "ok"],
        ]


def test_parquet_is_the_table_as_it_is(tmp_path):
    write_table(TABLE, tmp_path / "t.parquet")
    assert parquet.read_table(tmp_path / "t.parquet") == TABLE


@pytest.mark.parametrize("name", ["t", "t.txt", "t.csv.gz"])
def test_other_names(name):
    with pytest.raises(OutputError) as error:
        check_table_name(Path(name))
    assert str(error.value) == f"{name}: the name must end in .csv or .parquet."
