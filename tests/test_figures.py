"""The pages of figures are rendered from the JSON files that the benchmarks write."""

import importlib.util
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"


def benchmark(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "benchmarks" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("name", "render"), [("performance", "page"), ("accuracy", "table")])
def test_page_is_rendered_from_its_json(name, render):
    figures = json.loads((DOCS / f"{name}.json").read_text(encoding="utf-8"))
    written = (DOCS / f"{name}.md").read_text(encoding="utf-8")
    rendered = getattr(benchmark(name), render)(figures)
    assert written == rendered, f"Run: python benchmarks/{name}.py"


def test_sections_of_the_performance_page_are_updated_one_by_one(tmp_path):
    performance, page = benchmark("performance"), tmp_path / "performance.md"
    slow = {"row": "A", "peer": "B", "kind": "speedup", "ratio": 1.5, "goal": 2, "met": False}
    fast = slow | {"ratio": 20.04, "met": True}
    cost = slow | {"kind": "time", "ratio": 1.096, "goal": 1.1, "met": True}
    value = {"row": "A", "measure": "largest difference", "value": 0, "bound": 0, "met": True}
    performance.update(page, "first", [slow], [])
    performance.update(page, "second", [cost], [])
    performance.update(page, "first", [fast], [value])
    lines = performance.page(performance.read(page)).splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert table == [
        "| featx | peer | ratio | goal | status |",
        "|---|---|---|---|---|",
        "| A | B | 20\u00d7 | ≥\u00a02\u00d7 | met |",
        "| A | B | 1.10\u00d7\u00a0time | ≤\u00a01.1\u00d7 | met |",
    ]
    assert lines[-1] == (
        "The command compares the values of featx and of the peers before it times them: 1 of 1 "
        "comparisons are within their bounds ([performance.json](performance.json))."
    )
