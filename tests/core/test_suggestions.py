import pytest

from featx.core.suggestions import nearest


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("GausianBlur", "Did you mean GaussianBlur?"),
        ("gaussianblur", "Did you mean GaussianBlur?"),
        ("sobel", "Did you mean Sobel?"),
        ("SOBLE", "Did you mean Sobel?"),
        ("xyz", "Known: Sobel, GaussianBlur, HOG."),
        ("", "Known: Sobel, GaussianBlur, HOG."),
    ],
)
def test_nearest(word, hint):
    assert nearest(word, ["Sobel", "GaussianBlur", "HOG"]) == hint
