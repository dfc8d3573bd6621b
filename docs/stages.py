"""Write docs/stages.md, the table of the stages, from their docstrings: python docs/stages.py."""

import inspect
from pathlib import Path

import featx
from featx.pipeline.registry import stage_names


def table() -> str:
    """Draw up the table, in the order of data flow and then of names."""
    kinds = ["paths", "signals", "pixels", "maps", "descriptors", "vectors"]
    stages = [getattr(featx, name) for name in stage_names()]
    stages.sort(key=lambda stage: (kinds.index(stage.takes), kinds.index(stage.gives)))
    rows = [
        f"| `{stage.__name__}` | {stage.takes} | {stage.gives} | {_summary(stage)} "
        f"| {', '.join(f'`{name}`' for name in inspect.signature(stage).parameters)} |"
        for stage in stages
    ]
    head = ["| stage | takes | gives | what it is | parameters |", "|---|---|---|---|---|"]
    intro = (
        "# The stages\n\nMade by `python docs/stages.py`; `help(featx.HOG)` says more of each.\n"
    )
    return "\n".join([intro, *head, *rows]) + "\n"


def _summary(stage: type) -> str:
    return (inspect.getdoc(stage) or "").splitlines()[0]


if __name__ == "__main__":
    Path(__file__).with_suffix(".md").write_text(table(), encoding="utf-8")
