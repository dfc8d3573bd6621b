"""``featx`` and ``python -m featx``: the command line in a process of its own."""

from featx.cli.main import main
from featx.core.memory import configure_own_process


def run() -> None:
    """Run the command line, and end."""
    configure_own_process()
    main()


if __name__ == "__main__":
    run()
