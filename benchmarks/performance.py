"""Write docs/performance.md, the table of ratios, from docs/performance.json.

    python benchmarks/performance.py

`python benchmarks/peers.py --write docs/performance.md` measures first and updates both files.
"""

import json
import os
from datetime import date
from pathlib import Path

FILE = Path(__file__).parents[1] / "docs" / "performance.md"
INTRO = """\
# Performance

Speed and memory of featx relative to libraries that compute the same values.
The table is written by `python benchmarks/peers.py --write docs/performance.md`.

- Each row compares featx with a peer in one process, on one thread unless the row names two.
  Both run in turns, and the ratio compares their shortest times.
- *N\u00d7*: the peer's time divided by the time of featx. The goal is a lower bound.
- *N\u00d7 time*, *N\u00d7 memory*: the cost of featx divided by the peer's.
  The goal is an upper bound.
- *OpenCV in a stage*: the OpenCV call in a minimal stage.
  *scikit-image loop*: measured on 120 files and scaled.
- [research/](../research/README.md) keeps the logs of earlier runs.
"""
UNITS = {
    "speedup": "{:.3g}\u00d7",
    "time": "{:.2f}\u00d7\u00a0time",
    "memory": "{:.2f}\u00d7\u00a0memory",
}


def update(file: Path, section: str, ratios: list[dict], agreements: list[dict]) -> None:
    """Replace the figures of one section in the JSON file beside the page."""
    figures = read(file)
    measured = {"date": date.today().isoformat(), "cores": os.cpu_count()}
    measured |= {"ratios": ratios, "agreements": agreements}
    text = json.dumps(figures | {section: measured}, indent=1)
    file.with_suffix(".json").write_text(text + "\n", encoding="utf-8")


def read(file: Path = FILE) -> dict:
    source = file.with_suffix(".json")
    return json.loads(source.read_text(encoding="utf-8")) if source.exists() else {}


def page(figures: dict) -> str:
    """Render the figures of all sections as one table in Markdown."""
    lines = [INTRO, "| featx | peer | ratio | goal | status |", "|---|---|---|---|---|"]
    lines += [row(entry) for section in figures.values() for entry in section["ratios"]]
    return "\n".join([*lines, "", agreement(figures), ""])


def row(entry: dict) -> str:
    ratio = UNITS[entry["kind"]].format(entry["ratio"])
    sign = "≥" if entry["kind"] == "speedup" else "≤"
    status = "met" if entry["met"] else "missed"
    name = entry["row"].replace("|", "\\|")
    return (
        f"| {name} | {entry['peer']} | {ratio} | {sign}\u00a0{entry['goal']:g}\u00d7 | {status} |"
    )


def agreement(figures: dict) -> str:
    """Summarize the dates, the goals and the comparisons of values in sentences."""
    dates = sorted({section["date"] for section in figures.values()})
    ratios = [entry for section in figures.values() for entry in section["ratios"]]
    values = [entry for section in figures.values() for entry in section["agreements"]]
    when = f"on {dates[0]}" if len(dates) == 1 else f"between {dates[0]} and {dates[-1]}"
    cores = " and ".join(sorted({str(section["cores"]) for section in figures.values()}))
    goals = sum(entry["met"] for entry in ratios)
    equal = sum(entry["met"] for entry in values)
    return (
        f"Measured {when} on {cores} cores: "
        f"{goals} of {len(ratios)} goals are met.\n"
        "The command compares the values of featx and of the peers before it times them: "
        f"{equal} of {len(values)} comparisons are within their bounds "
        "([performance.json](performance.json))."
    )


def main() -> None:
    FILE.write_text(page(read()), encoding="utf-8")


if __name__ == "__main__":
    main()
