"""featx beside what users would write today: ratios of times, measured in one process.

    python benchmarks/peers.py [SECTION …] [--write docs/performance.md]

    sections: hog hog31 lbp patches gist sift smoothing edges gabor patterns encoders folder
              memory imports

Each line compares two ways of doing one job, run in turns on one thread (unless it says two).
Ratios are those of the least times: what the code costs when nothing disturbs it. Short jobs run
in turns of five calls, so that neither finds its memory as the other left it. (Start-up times are
medians, and the loop of scikit-image over a folder runs once.) A ratio is marked "met" or
"missed" by its goal and fails nothing; values that are not equal end the run with exit status 1.
"""

import argparse
import sys
from pathlib import Path

import cv2
import measuring
import peers_descriptors
import peers_encoders
import peers_filters
import peers_folder
import performance
from threadpoolctl import threadpool_limits

SECTIONS = {
    name.removeprefix("section_"): section
    for module in (peers_descriptors, peers_filters, peers_encoders, peers_folder)
    for name, section in vars(module).items()
    if name.startswith("section_")
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=", ".join(SECTIONS))
    parser.add_argument("--write", type=Path, metavar="FILE.md", help="update this page's table")
    given = parser.parse_args()
    if unknown := set(given.sections) - set(SECTIONS):
        parser.error(f"unknown section {', '.join(sorted(unknown))}. Known: {', '.join(SECTIONS)}.")
    cv2.setNumThreads(1)
    different = 0
    for name in given.sections or SECTIONS:
        print(f"{name}: {SECTIONS[name].__doc__}", flush=True)
        with threadpool_limits(1):
            SECTIONS[name]()
        different += sum(not entry["met"] for entry in measuring.agreements)
        if given.write:  # section by section: an interrupted run keeps the finished ones
            performance.update(given.write, name, measuring.ratios[:], measuring.agreements[:])
        measuring.ratios.clear()
        measuring.agreements.clear()
    if given.write:
        given.write.write_text(performance.page(performance.read(given.write)), encoding="utf-8")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
