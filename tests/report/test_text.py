import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from featx.report.text import short, shown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("street", "street"),
        ("a\x07b\x1b[31m\n", r"a\x07b\x1b[31m\n"),
        ("\u202eabc", r"\u202eabc"),
        ("עברית 写真 é", "עברית 写真 é"),
        ("\udcff", r"\udcff"),
    ],
)
def test_shown(text, expected):
    assert shown(text) == expected


@given(st.text())
def test_shown_text_has_no_control_characters(text):
    assert not any(unicodedata.category(character) in ("Cc", "Cs") for character in shown(text))
    shown(text).encode()


def test_short():
    assert short("x" * 40) == "x" * 40
    assert short("x" * 41) == "x" * 39 + "…"
    assert len(short("\x07" * 300)) == 40
