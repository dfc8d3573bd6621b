"""Tests of the exception tree."""

import ast
from pathlib import Path

import pytest

import featx
from featx.core import errors

PACKAGE = Path(featx.__file__).parent
TREE = [
    one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, Exception)
]


@pytest.mark.parametrize("kind", TREE, ids=lambda kind: kind.__name__)
def test_each_is_also_what_users_catch(kind):
    assert issubclass(kind, errors.FeatxError)
    assert getattr(featx, kind.__name__) is kind
    assert kind.__doc__
    built_in = (ValueError, OSError, ImportError, RuntimeError, ArithmeticError)
    assert kind is errors.FeatxError or issubclass(kind, built_in)


def test_a_rejected_image_says_which_and_why():
    error = errors.RefusedImage(b"a.png", "empty", "the file has no bytes.")
    assert str(error) == "a.png: empty: the file has no bytes."
    assert (error.path, error.reason) == ("a.png", "empty")


def test_plain_errors_are_not_raised():
    found = []
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            made = getattr(getattr(node, "exc", None), "func", None)
            if isinstance(made, ast.Name) and made.id in ("ValueError", "OSError", "ImportError"):
                found.append(f"{path.relative_to(PACKAGE)}:{node.lineno} {made.id}")
    # The exceptions in these files are caught in the same function.
    assert {one.partition(":")[0] for one in found} <= {"io/decoding.py", "jobs/model_files.py"}


def test_no_other_tree_grows():
    classes = []
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            bases = [getattr(base, "id", "") for base in getattr(node, "bases", [])]
            public = isinstance(node, ast.ClassDef) and not node.name.startswith("_")
            if public and any(base.endswith(("Error", "Exception")) for base in bases):
                classes.append(f"{path.name}: {node.name}")
    assert all(one.startswith("errors.py: ") for one in classes), classes
