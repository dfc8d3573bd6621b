"""The plan of the package: the table in ARCHITECTURE.md, enforced."""

import ast
import re
from pathlib import Path

import pytest

import featx

ROOT = Path(__file__).parents[1]
PACKAGE = Path(featx.__file__).parent
#: Loose files that are not a package's.
LOOSE = {"__init__.py", "__init__.pyi", "__main__.py", "py.typed", "testing.py"}
#: Libraries that may be imported in some packages only.
DOORS = {
    "torch": {"networks", "explanation"},
    "matplotlib": {"report"},
    "jinja2": {"report"},
    "typer": {"cli"},
    "rich": {"cli"},
}
#: The one import that points downwards: a comparison draws itself.
LAZY_DOORS = {("featx.evaluation.results", "featx.report.view")}


def packages(text):
    """Return the packages in the table of ARCHITECTURE.md, in their order."""
    return re.findall(r"^\| \d+ \| `(\w+)/` \|", text, flags=re.MULTILINE)


def imports(source, module):
    """Yield (line, module, name or None) of all imports, those inside functions included."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name, None
        elif isinstance(node, ast.ImportFrom):
            origin = node.module or ""
            if node.level:
                above = module.split(".")[: -node.level]
                origin = ".".join([*above, origin]).rstrip(".")
            for alias in node.names:
                yield node.lineno, origin, alias.name


def type_only(source):
    """Return the lines of imports that only type checkers execute."""
    return {
        inner.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"
        for inner in ast.walk(node)
        if isinstance(inner, ast.Import | ast.ImportFrom)
    }


def read(folder):
    """Return the sources of a package by their module names."""
    sources = {}
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder.parent).with_suffix("").parts
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        sources[".".join(parts)] = path.read_text(encoding="utf-8")
    return sources


def arrows(sources):
    """Return the imports among modules: (importing module, line) to (module, name)."""
    found = []
    for module, source in sources.items():
        hidden = type_only(source)
        for line, origin, name in imports(source, module):
            if origin.split(".")[0] != "featx" or line in hidden:
                continue
            whole = f"{origin}.{name}"
            target, name = (whole, None) if whole in sources else (origin, name)
            found.append((module, line, target, name))
    return found


def package_of(module):
    return module.split(".")[1] if module.count(".") else ""


def violations(sources, order):
    """List what breaks the rules of the layout, a line each."""
    known = [package_of(target) for target in sources]
    said = []
    graph = {}
    for module, line, target, name in arrows(sources):
        graph.setdefault(module, set()).add(target)
        where = f"{module}:{line}"
        one, other = package_of(module), package_of(target)
        below = one in order and other in order and order.index(other) > order.index(one)
        if below and (module, target) not in LAZY_DOORS:
            said.append(f"{where}: imports {target} from below")
        if one in order and other and other not in order and other in known:
            said.append(f"{where}: imports {target}, which no package of the table holds")
        if name and name.startswith("_") and not name.startswith("__"):
            said.append(f"{where}: imports the private name {name} of {target}")
    for module, source in sources.items():
        for line, origin, _ in imports(source, module):
            allowed = DOORS.get(origin.split(".")[0])
            if allowed is not None and package_of(module) not in allowed:
                said.append(f"{module}:{line}: imports {origin}, which is for {sorted(allowed)}")
    return said + [f"circle: {' -> '.join(circle)}" for circle in circles(graph)]


def circles(graph):
    """List circles among modules, each once."""
    graph = {
        module: {target for target in targets if (module, target) not in LAZY_DOORS}
        for module, targets in graph.items()
    }
    found, done = [], set()

    def visit(module, path):
        if module in path:
            found.append([*path[path.index(module) :], module])
            return
        if module in done:
            return
        for target in sorted(graph.get(module, ())):
            visit(target, [*path, module])
        done.add(module)

    for module in sorted(graph):
        visit(module, [])
    return found


@pytest.fixture(scope="module")
def order():
    return packages((ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def sources():
    return read(PACKAGE)


def test_the_table_names_the_packages(order):
    there = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert set(order) == there
    assert len(order) == len(there) <= 16


def test_nothing_else_is_loose():
    loose = {path.name for path in PACKAGE.iterdir() if path.is_file()}
    assert loose <= LOOSE
    assert len([name for name in loose if name.endswith(".py")]) <= 3


def test_imports_point_upwards(sources, order):
    assert violations(sources, order) == []


@pytest.mark.parametrize(
    ("module", "line", "said"),
    [
        ("featx.core.stage", "import featx.jobs.train", "imports featx.jobs.train from below"),
        (
            "featx.io.files",
            "def f():\n    from featx.report.page import page",
            "imports featx.report.page from below",
        ),
        (
            "featx.jobs.train",
            "from featx.pipeline.recipes import _plain",
            "imports the private name _plain of featx.pipeline.recipes",
        ),
        ("featx.core.stage", "import torch", "imports torch, which is for"),
        ("featx.cli.train", "from matplotlib import pyplot", "imports matplotlib, which is for"),
        (
            "featx.core.errors",
            "from featx.core import suggestions, batches, constraints",
            "circle: ",
        ),
        ("featx.core.batches", "from .constraints import validate", "circle: "),
    ],
)
def test_a_planted_fault_is_found(sources, order, module, line, said):
    planted = sources | {module: f"{sources[module]}\n{line}\n"}
    if said == "circle: ":
        planted["featx.core.constraints"] += f"\nimport {module}\n"
    new = set(violations(planted, order)) - set(violations(sources, order))
    assert any(said in one for one in new), new


def test_packages_hold_nothing_but_their_docstring():
    for path in PACKAGE.glob("*/**/__init__.py"):
        body = ast.parse(path.read_text(encoding="utf-8")).body
        assert len(body) == 1, path
        assert isinstance(body[0].value.value, str), path


def test_no_package_has_the_name_of_a_public_function(order):
    assert set(order) & set(featx.__all__) == set()


def test_tests_mirror_the_packages():
    folders = {path.parent.relative_to(ROOT / "tests") for path in ROOT.glob("tests/**/test_*.py")}
    there = {path.relative_to(PACKAGE) for path in PACKAGE.rglob("*") if path.is_dir()}
    assert folders - {Path()} <= there
    for test in ROOT.glob("tests/*/**/test_*.py"):
        mirrored = PACKAGE / test.relative_to(ROOT / "tests").with_name(test.name[len("test_") :])
        assert mirrored.is_file(), test
