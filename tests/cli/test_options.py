import json

import pytest
import typer

from featx.cli.options import listing, refused_as_data, show, show_refused
from featx.core.errors import RefusedImage
from featx.datasets.loading import DatasetError

REFUSED = [
    RefusedImage("a/1.png", "empty", "it has no bytes."),
    RefusedImage("b/\udcff\n\x1b[31m é.png", "missing", "there is no such file."),
]


def test_listing_with_all_classes(photos):
    found = listing(str(photos), [])
    assert [*found.paths] == [
        str(photos / ("city", "field")[index % 2] / f"{index:02}.png")
        for index in [*range(0, 12, 2), *range(1, 12, 2)]
    ]
    assert [*found.labels] == ["city"] * 6 + ["field"] * 6


def test_listing_with_merged_classes(photos):
    found = listing(str(photos), ["all=city, field"])
    assert [*found.labels] == ["all"] * 12
    found = listing(str(photos), ["nature=field"])
    assert [*found.labels] == ["nature"] * 6
    assert all("field" in path for path in found.paths)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["field"], "labels 'field': wanted is NEW=old,old, as city=street,tower."),
        (["a=fields"], "There is no class 'fields'. Did you mean field?"),
        (["a=city", "b=city"], "Class 'city' goes to 'a' and to 'b'. Choose one."),
    ],
)
def test_labels_that_do_not_fit(photos, labels, message):
    with pytest.raises(DatasetError) as error:
        listing(str(photos), labels)
    assert str(error.value) == message


def test_results_for_people_and_for_programs(capsys):
    result = {"images": 3, "classes": {"city": 1, "é": 2}}
    show(result, "3 images: city 1, é 2", as_json=False)
    assert capsys.readouterr() == ("3 images: city 1, é 2\n", "")
    show(result, "3 images: city 1, é 2", as_json=True)
    out, err = capsys.readouterr()
    assert json.loads(out) == result
    assert err == ""


def test_names_of_classes_cannot_move_the_cursor(capsys):
    show({}, "a \x1b[2J 1\nb \r 2", as_json=False)
    assert capsys.readouterr() == ("a \\x1b[2J 1\nb \\r 2\n", "")


def test_refused_images_have_a_line_each(capsys):
    show_refused(iter(REFUSED), strict=False)
    assert capsys.readouterr() == (
        "",
        "refused: a/1.png: empty: it has no bytes.\n"
        "refused: b/\\xff\\n\\x1b[31m é.png: missing: there is no such file.\n",
    )


def test_refused_images_are_a_failure_under_strict(capsys):
    show_refused([], strict=True)
    with pytest.raises(typer.Exit) as end:
        show_refused(iter(REFUSED), strict=True)
    assert end.value.exit_code == 1
    assert len(capsys.readouterr().err.splitlines()) == 2


def test_refused_images_as_data():
    assert refused_as_data(iter(REFUSED)) == [
        {"path": "a/1.png", "reason": "empty", "detail": "it has no bytes."},
        {
            "path": "b/\\xff\n\x1b[31m é.png",
            "reason": "missing",
            "detail": "there is no such file.",
        },
    ]
