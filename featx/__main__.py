"""``featx`` and ``python -m featx``: the command line in a process of its own."""

from featx.cli.main import main
from featx.core.memory import collect_rarely


def run() -> None:
    """Run the command line, and end."""
    collect_rarely()
    main()


if __name__ == "__main__":
    run()
