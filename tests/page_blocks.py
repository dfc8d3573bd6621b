"""Run the code blocks of a documentation page in order: python page_blocks.py PAGE.md."""

import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

#: A fence, with the marker comment above it if it has one.
_BLOCK = re.compile(
    r"^(?:<!-- (?P<marker>[\w ]+): (?P<value>.*?) -->\n)?(?P<fence>```+|:::+)(?P<language>.*)\n"
    r"(?P<code>(?s:.*?))^(?P=fence)$",
    flags=re.MULTILINE,
)
#: A few images are enough to run the code.
_COUNT = re.compile(r"(--n |\bn=)\d{3,}")


class Block(NamedTuple):
    """A fenced block of a page."""

    language: str
    code: str
    #: "not run", "file", or None.
    marker: str | None
    #: The reason, or the name of the file.
    value: str | None
    line: int


def read_blocks(page):
    """Return the fenced blocks of a page."""
    text = Path(page).read_text(encoding="utf-8")
    return [
        Block(
            found["language"].strip(),
            found["code"],
            found["marker"],
            found["value"],
            text.count("\n", 0, found.start("code")),
        )
        for found in _BLOCK.finditer(text)
    ]


def run(page):
    """Run the blocks of a page in the current folder; Python blocks share one namespace."""
    sys.path.insert(0, "")
    namespace = {"__name__": "__main__"}
    for block in read_blocks(page):
        if block.marker == "file":
            Path(block.value).write_text(block.code, encoding="utf-8")
        elif block.marker == "not run":
            continue
        elif block.language == "bash":
            command = _COUNT.sub(r"\g<1>20", block.code)
            print(f"{page}:{block.line}\n{command}", file=sys.stderr, flush=True)
            subprocess.run(["bash", "-euo", "pipefail", "-c", command], check=True)
        elif block.language == "python":
            code = "\n" * block.line + _COUNT.sub(r"\g<1>20", block.code)
            exec(compile(code, str(page), "exec"), namespace)
            sys.stdout.flush()


if __name__ == "__main__":
    run(sys.argv[1])
