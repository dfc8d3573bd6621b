import sys

import pytest

from featx.report.requirements import require


def test_require(monkeypatch):
    require("jinja2", "matplotlib")
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(ImportError) as error:
        require("jinja2", "matplotlib")
    assert str(error.value) == (
        "report: jinja2 is not installed. Install it with: pip install 'featx[report]'"
    )
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError) as error:
        require("jinja2", "matplotlib")
    assert str(error.value) == (
        "report: jinja2 and matplotlib are not installed. Install them with: pip install "
        "'featx[report]'"
    )
