import pyarrow
import pytest
from pyarrow import parquet

from featx import read_features
from featx.core.errors import StoreError


def message(kind, function, *arguments):
    with pytest.raises(kind) as error:
        function(*arguments)
    return str(error.value)


def test_reading_what_is_not_there(tmp_path):
    missing = tmp_path / "nowhere"
    assert message(StoreError, read_features, missing) == f"{missing}: there is no such folder."


@pytest.mark.parametrize("content", ["nothing", "text", "other", "ours without names"])
def test_reading_what_is_something_else(tmp_path, content):
    folder = tmp_path / "folder"
    folder.mkdir()
    if content == "text":
        (folder / "x.txt").write_text("text")
    elif content != "nothing":
        columns = ["path", "label", "status", "reason", "features"]
        values = {name: ["ok"] for name in (columns if "ours" in content else ["x"])}
        parquet.write_table(pyarrow.table(values), folder / "x.parquet")
    assert message(StoreError, read_features, folder) == (
        f"{folder}: not a folder that featx extract wrote."
    )
