import inspect
import pickle
import re
import subprocess
import sys
from dataclasses import field

import cloudpickle
import pytest
import skops.io
from sklearn.base import clone

from featx import LLC, VLAD, BagOfWords, FisherVector, SuperVector
from featx.encoders.parameters import DeclaredParameters

ENCODERS = [BagOfWords, LLC, SuperVector, FisherVector, VLAD]
SHARED = ["n_components", "whiten", "append_position", "pyramid", "pyramid_weights"]
SHARED += ["power", "norm", "normalize_cells", "n_samples", "random_state"]


class Base(DeclaredParameters):
    """A base.

    Parameters
    ----------
    first : int
        Number one.
    second : {"x", "y"}, default="x"
        Number two,
        in two lines.
    third : float, optional
        Number three.

    Attributes
    ----------
    learned_ : int
        Learned.

    Raises
    ------
    ValueError
        Always.
    """

    first: int = field(kw_only=False)
    second: str = "x"
    third: float | None = None


class Derived(Base):
    """A class that derives from it.

    Parameters
    ----------
    own : int, default=5
        The own.
    last : bool, default=True
        Between the second and the third.

    Attributes
    ----------
    found_ : int
        Found.

    Notes
    -----
    Some.
    """

    first: int = field(default=1, kw_only=False)
    own: int = 5
    second: str = "y"
    last: bool = True


class NoText(Derived):
    third: float | None = 0.5


class OwnInit(Derived):
    """A class with an ``__init__`` of its own."""

    def __init__(self, color="red", *, own=2):
        super().__init__(own=own)
        self.color = color


def test_signatures_have_own_parameters_before_inherited_ones():
    assert str(inspect.signature(Base)) == (
        "(first: int, *, second: str = 'x', third: float | None = None) -> None"
    )
    assert str(inspect.signature(Derived)) == (
        "(first: int = 1, *, own: int = 5, second: str = 'y', last: bool = True, "
        "third: float | None = None) -> None"
    )
    assert str(inspect.signature(NoText)) == (
        "(first: int = 1, *, own: int = 5, second: str = 'y', last: bool = True, "
        "third: float | None = 0.5) -> None"
    )
    assert str(inspect.signature(OwnInit)) == "(color='red', *, own=2)"


def test_init_sets_the_parameters_and_nothing_else():
    assert vars(Derived(7, last=False)) == {
        "first": 7,
        "own": 5,
        "second": "y",
        "last": False,
        "third": None,
    }
    assert vars(OwnInit("blue"))["color"] == "blue"
    assert vars(OwnInit())["own"] == 2
    for call, problem in [
        (lambda: Derived(1, 2), "takes from 1 to 2 positional arguments but 3 were given"),
        (lambda: Derived(owm=2), "got an unexpected keyword argument 'owm'"),
        (lambda: Base(), "missing 1 required positional argument: 'first'"),
    ]:
        with pytest.raises(TypeError) as error:
            call()
        assert problem in str(error.value)


def test_docstrings_have_the_entries_of_the_parent():
    assert Derived.__doc__ == (
        """A class that derives from it.

Parameters
----------
first : int, default=1
    Number one.
own : int, default=5
    The own.
second : {"x", "y"}, default="y"
    Number two,
    in two lines.
last : bool, default=True
    Between the second and the third.
third : float, optional
    Number three.

Attributes
----------
found_ : int
    Found.
learned_ : int
    Learned.

Raises
------
ValueError
    Always.

Notes
-----
Some."""
    )
    assert NoText.__doc__ is None
    # A parameter of the parent that __init__ does not have is not documented.
    assert OwnInit.__doc__.startswith(
        """A class with an ``__init__`` of its own.

Parameters
----------
own : int, default=5
    The own.
"""
    )


@pytest.mark.parametrize("kind", ENCODERS)
def test_every_parameter_of_an_encoder_is_documented_with_its_default(kind):
    section = kind.__doc__.split("Parameters\n----------\n")[1].split("\n\nAttributes\n")[0]
    entries = re.findall(r"^(\w+) : (.*)\n    \S", section, flags=re.MULTILINE)
    parameters = inspect.signature(kind).parameters
    assert [name for name, _ in entries] == list(parameters)
    for name, head in entries:
        _, _, default = head.partition(", default=")
        if default:
            assert eval(default) == parameters[name].default
        else:
            assert head.endswith(", optional")
            assert parameters[name].default is None
    assert set(SHARED) < set(parameters)
    assert all(parameters[name].kind == inspect.Parameter.KEYWORD_ONLY for name in SHARED)


@pytest.mark.parametrize("kind", ENCODERS)
def test_declared_parameters_are_those_of_scikit_learn(kind):
    encoder = kind(5, power=0.75, pyramid=[[1, 1], [2, 2]])
    name = "n_modes" if kind is FisherVector else "n_words"
    assert repr(encoder) == f"{kind.__name__}({name}=5, power=0.75, pyramid=[[1, 1], [2, 2]])"
    assert sorted(encoder.get_params()) == sorted(inspect.signature(kind).parameters)
    assert repr(clone(encoder)) == repr(encoder)
    assert repr(pickle.loads(pickle.dumps(encoder))) == repr(encoder)
    file = skops.io.dumps(encoder)
    trusted = skops.io.get_untrusted_types(data=file)
    assert skops.io.loads(file, trusted=trusted).get_params() == encoder.get_params()
    assert encoder.set_params(power=0.5).power == 0.5
    assert encoder != clone(encoder)
    assert len({encoder, clone(encoder)}) == 2


def test_a_class_of_a_script_arrives_whole_in_another_process():
    class Mine(VLAD):
        """My own."""

        power: float = 0.25
        extra: int = 3

    code = (
        "import sys, cloudpickle; from sklearn.base import clone\n"
        "mine = cloudpickle.loads(sys.stdin.buffer.read()); mine.check_parameters()\n"
        "print(repr(clone(mine)), 'extra' in mine.get_params(), mine._parameters()[1])"
    )
    blob = cloudpickle.dumps(Mine(extra=4, norm=None))
    done = subprocess.run([sys.executable, "-c", code], input=blob, capture_output=True, check=True)
    assert done.stdout.decode() == "Mine(extra=4, norm=None) True extra\n"
