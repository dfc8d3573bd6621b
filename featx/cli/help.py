"""Commands whose help lists the options by purpose and ends with an example."""

from collections.abc import Callable
from typing import Any

from typer.core import TyperCommand, TyperGroup

from featx.cli.errors import ArgumentError, name_of
from featx.core.suggestions import nearest

INPUT, OUTPUT, RUN, DISPLAY = "Input", "Output", "Run", "Display"
_PANELS = (INPUT, OUTPUT, RUN, DISPLAY)


class Command(TyperCommand):
    """A command; its epilog is an example, which the help prints as it is."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse arguments; an error of the parser receives the command that it belongs to."""
        return with_context(super().parse_args, ctx, args)

    def get_short_help_str(self, limit: int = 80) -> str:
        """Return the first sentence of the help; by default, longer than click's 45 letters."""
        return super().get_short_help_str(limit)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return the parts of the usage line, such as ``[OPTIONS] IMAGES...``."""
        arguments = [one for one in self.get_params(ctx) if one.param_type_name == "argument"]
        return ["[OPTIONS]", *map(_argument, arguments)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the arguments and options, in the panels of their ``rich_help_panel``."""
        write_options(self, ctx, formatter)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the example, unwrapped, so that it can be copied."""
        write_example(self, formatter)


class Group(TyperGroup):
    """A command with commands of its own."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse arguments; an error of the parser receives the command that it belongs to."""
        return with_context(super().parse_args, ctx, args)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the commands, then the options."""
        self.format_commands(ctx, formatter)
        write_options(self, ctx, formatter)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the example, unwrapped, so that it can be copied."""
        write_example(self, formatter)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find a command by its name.

        Raises
        ------
        ArgumentError
            If no command has this name.
        """
        if args[0] not in self.commands and not args[0].startswith("-"):
            hint = nearest(args[0], list(self.commands))
            raise ArgumentError(f"{args[0]}: {ctx.command_path} has no such command. {hint}")
        return super().resolve_command(ctx, args)


def with_context(parse: Callable[[Any, list[str]], list[str]], ctx: Any, args: Any) -> list[str]:
    """Parse arguments; set the context of an error that has none."""
    try:
        return parse(ctx, args)
    except Exception as error:
        if getattr(error, "ctx", ctx) is None:
            error.ctx = ctx  # type: ignore[attr-defined]
        raise


def write_options(command: Any, ctx: Any, formatter: Any) -> None:
    """Write the parameters of a command, grouped by their panel."""
    panels: dict[str, list[tuple[str, str]]] = {name: [] for name in _PANELS}
    for parameter in command.get_params(ctx):
        record = parameter.get_help_record(ctx)
        if record is not None:
            name, text = record
            name = _argument(parameter) if parameter.param_type_name == "argument" else name
            panels[getattr(parameter, "rich_help_panel", None) or DISPLAY].append((name, text))
    for name, records in panels.items():
        if records:
            with formatter.section(name):
                formatter.write_dl(records)


def _argument(parameter: Any) -> str:
    return name_of(parameter) + ("" if parameter.nargs == 1 else "...")


def write_example(command: Any, formatter: Any) -> None:
    """Write the example of a command."""
    with formatter.section("Example"):
        formatter.write(f"{'':>{formatter.current_indent}}{command.epilog}\n")
