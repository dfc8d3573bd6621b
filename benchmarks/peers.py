"""Speed and memory of featx relative to peer libraries, measured in one process.

    python benchmarks/peers.py [SECTION …]        sections: hog hog31 lbp patches gist sift
                                                            smoothing edges gabor patterns encoders
                                                            folder memory imports

Each line compares two implementations of one task, run in turns on one thread unless stated
otherwise. Ratios are those of the minimum times, which other jobs of the machine affect least.
Short tasks run in turns of five calls, so that caches are warm. Start-up times are medians, and the
loop of scikit-image over a folder runs once.

Each ratio is marked "met" or "missed" by its goal, without effect on the exit status. Unequal
values end the run with exit status 1.
"""

import sys

import cv2
import measuring
import peers_descriptors
import peers_encoders
import peers_filters
import peers_folder
from threadpoolctl import threadpool_limits

SECTIONS = {
    name.removeprefix("section_"): section
    for module in (peers_descriptors, peers_filters, peers_encoders, peers_folder)
    for name, section in vars(module).items()
    if name.startswith("section_")
}


def main(names: list[str]) -> int:
    cv2.setNumThreads(1)
    unknown = set(names) - set(SECTIONS)
    if unknown:
        print(f"No such section: {', '.join(sorted(unknown))}. There are {', '.join(SECTIONS)}.")
        return 2
    for name in names or SECTIONS:
        print(f"{name}: {SECTIONS[name].__doc__}", flush=True)
        with threadpool_limits(1):
            SECTIONS[name]()
    return 1 if measuring.different else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
