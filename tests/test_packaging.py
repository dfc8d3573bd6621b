"""The lock is valid for every supported Python, and each install brings only what it needs."""

import re
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
SUPPORTED = [
    name.rpartition(" ")[2]
    for name in PROJECT["classifiers"]
    if re.fullmatch(r"Programming Language :: Python :: 3\.\d+", name)
]
PINS = [
    (Requirement(pin), python)
    for pin, python in re.findall(
        r"^(.*?)  # Requires-Python (.*)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE
    )
]
LINUX = {"sys_platform": "linux", "platform_machine": "x86_64", "os_name": "posix"}


def version_of(pin):
    (specifier,) = pin.specifier
    return specifier.version


def applies(pin, python):
    environment = {**LINUX, "python_version": python, "python_full_version": f"{python}.0"}
    return pin.marker is None or pin.marker.evaluate(environment)


def test_the_supported_pythons_are_those_of_requires_python():
    oldest, *_ = SUPPORTED
    assert PROJECT["requires-python"] == f">={oldest}"
    minors = [Version(version).minor for version in SUPPORTED]
    assert minors == [*range(minors[0], minors[-1] + 1)]


def test_every_line_of_the_lock_is_a_pin_with_its_requires_python():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert len(PINS) == len([line for line in lines if not line.startswith("#")])
    assert all(version_of(pin) for pin, _ in PINS)


@pytest.mark.parametrize("python", SUPPORTED)
def test_no_pin_excludes_a_supported_python(python):
    # From the first release on: Debian 12 has 3.11.2.
    releases = [f"{python}.{patch}" for patch in range(25)]
    excluded = [
        f"{pin}: {requires}"
        for pin, requires in PINS
        if applies(pin, python) and [*SpecifierSet(requires).filter(releases)] != releases
    ]
    assert excluded == []


def test_the_requires_python_in_the_lock_is_that_of_the_installed_package():
    compared = 0
    for pin, python in PINS:
        try:
            installed = distribution(pin.name)
        except PackageNotFoundError:
            continue
        # A build of torch without CUDA is 2.13.0+cpu.
        if Version(installed.version).public != version_of(pin):
            continue
        stated = installed.metadata.get("Requires-Python")
        if stated is not None:
            assert SpecifierSet(stated) == SpecifierSet(python), pin
            compared += 1
    assert compared > 50


def test_the_lock_pins_every_dependency():
    pinned = {canonicalize_name(pin.name) for pin, _ in PINS}
    extras = PROJECT["optional-dependencies"].values()
    named = {
        canonicalize_name(Requirement(dependency).name)
        for dependency in [*PROJECT["dependencies"], *(one for extra in extras for one in extra)]
    }
    assert named - {"featx"} <= pinned


def closure(name, extras):
    """Collect all packages that an installation brings, on this Python."""
    found, open_ones = set(), [(canonicalize_name(name), frozenset(extras))]
    while open_ones:
        one = open_ones.pop()
        if one in found:
            continue
        found.add(one)
        name, extras = one
        for line in distribution(name).requires or []:
            needed = Requirement(line)
            if needed.marker is None or any(
                needed.marker.evaluate({"extra": extra}) for extra in ["", *extras]
            ):
                open_ones.append((canonicalize_name(needed.name), frozenset(needed.extras)))
    return {name for name, _ in found}


def test_make_demo_installs_what_the_demo_needs():
    (extras,) = re.findall(
        r"^\.venv/for-demo: EXTRAS :=(.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE
    )
    installed = closure("featx", extras.split())
    assert {"matplotlib", "jinja2", "scikit-learn"} <= installed
    heavy = {"torch", "skorch", "mypy", "ruff", "sphinx", "pytest", "hypothesis", "scikit-image"}
    assert installed & heavy == set()
