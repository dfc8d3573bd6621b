import sys

import pytest

from featx.report.requirements import require


def test_require(monkeypatch):
    require("jinja2", "matplotlib")
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(ImportError) as error:
        require("jinja2", "matplotlib")
    assert str(error.value) == (
        "Reports need jinja2, which are not installed. To install them: pip install 'featx[report]'"
    )
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError) as error:
        require("jinja2", "matplotlib")
    assert str(error.value) == (
        "Reports need jinja2 and matplotlib, which are not installed. To install them: "
        "pip install 'featx[report]'"
    )
