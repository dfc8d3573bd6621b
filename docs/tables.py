"""Generate the tables of the reference from the package: commands, stages, recipes, data sets."""

import inspect
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, get_args

from typer.models import ArgumentInfo

import featx
from featx.cli.main import app
from featx.datasets.loading import read_card
from featx.io import bundled
from featx.pipeline.recipes import read_recipe
from featx.pipeline.registry import ESTIMATORS, stage_names

#: Kinds of data in the order in which they follow each other.
KINDS = ("paths", "signals", "pixels", "maps", "descriptors", "vectors")


def commands() -> str:
    """Return a section for each command: description, usage, arguments and options."""
    single = [_command(f"featx {_name(command)}", command) for command in app.registered_commands]
    return "\n".join([*single, *map(_group, app.registered_groups)])


def _name(command: Any) -> str:
    return str(command.name or command.callback.__name__)


def _group(group: Any) -> str:
    name, inner = f"featx {group.name}", group.typer_instance
    parts = [_command(f"{name} {_name(one)}", one, "###") for one in inner.registered_commands]
    return "\n".join([f"## {name}\n\n{inner.info.help}\n", *parts])


def _command(name: str, command: Any, heading: str = "##") -> str:
    parameters = inspect.signature(command.callback).parameters
    options = [_option(name, parameter) for name, parameter in parameters.items()]
    example = str(command.epilog or "")
    required = [option.name for option in options if option.default == "required"]
    lines = [
        f"{heading} {name}\n",
        f"{inspect.getdoc(command.callback)}\n",
        f"```text\n{' '.join([name, *required])}\n```\n",
        *([f"Example:\n\n```bash\n{example}\n```\n"] if example.startswith("featx") else []),
        "| argument or option | default | description |\n|---|---|---|",
        *(_row(f"`{one.name}`", one.default, one.description) for one in options),
    ]
    return "\n".join(lines) + "\n"


class _Option(NamedTuple):
    """An argument or an option of a command, as text."""

    name: str
    default: str
    description: str


def _option(name: str, parameter: inspect.Parameter) -> _Option:
    kind, declared = get_args(parameter.annotation)[:2]
    default = parameter.default
    value = declared.metavar or _placeholder(kind)
    if isinstance(declared, ArgumentInfo):
        shown = declared.metavar or name.upper()
    else:
        # Within Annotated, typer keeps the first name of an option as its default.
        names = [str(one) for one in (declared.default, *(declared.param_decls or ()))]
        flags = [one for one in names if one.startswith("--")] or [f"--{name.replace('_', '-')}"]
        shown = f"{', '.join(flags)} {value}".rstrip()
    if default is inspect.Parameter.empty:
        text = "required"
    elif default is None or default is False or default == []:
        text = ""
    else:
        text = f"`{' '.join(map(str, default)) if isinstance(default, tuple) else default}`"
    return _Option(shown, text, declared.help or "")


def _placeholder(kind: Any) -> str:
    """Return the placeholder of a value: ``TEXT``, ``INTEGER``; none for a flag."""
    names = {bool: "", str: "TEXT", int: "INTEGER", float: "NUMBER"}
    if kind in names:
        return names[kind]
    inner = [one for one in get_args(kind) if one is not type(None)]
    return " ".join(map(_placeholder, inner))


def stages() -> str:
    """Return the table of all stages, in the order of data flow and then of names."""
    found = [getattr(featx, name) for name in stage_names()]
    found.sort(key=lambda stage: (KINDS.index(stage.takes), KINDS.index(stage.gives)))
    head = "| stage | input | output | description |\n|---|---|---|---|"
    return "\n".join([head, *map(_stage, found)])


def _stage(stage: Any) -> str:
    summary = (inspect.getdoc(stage) or "").splitlines()[0]
    link = f"[`{stage.__name__}`](#featx.{stage.__name__})"
    return _row(link, stage.takes, stage.gives, summary)


def recipes() -> str:
    """Return a section for each bundled recipe: title, steps and source."""
    return "\n".join(map(_recipe, bundled.names("pipelines")))


def _recipe(name: str) -> str:
    recipe = read_recipe(name)
    steps = " → ".join(_steps(recipe.steps))
    return f"## {name}\n\n{recipe.title}.\n\n- **Steps:** {steps}\n- **Source:** {recipe.source}\n"


def _steps(steps: list[Any]) -> Iterator[str]:
    for step in steps:
        name, inside = next(iter(step.items())) if isinstance(step, dict) else (step, None)
        if isinstance(inside, list):
            yield f"{name}({' + '.join(' → '.join(_steps(branch)) for branch in inside)})"
        else:
            yield name


def estimators() -> str:
    """Return the list of estimators that recipes may name, by module."""
    modules: dict[str, list[str]] = {}
    for name, module in ESTIMATORS.items():
        modules.setdefault(module, []).append(f"`{name}`")
    return "\n".join(f"- `{module}`: {', '.join(names)}" for module, names in modules.items())


def datasets() -> str:
    """Return a section for each data-set card."""
    return "\n".join(map(_dataset, bundled.names("datasets")))


def _dataset(name: str) -> str:
    card = read_card(name)
    targets = [
        f"  - `{target}`: "
        + "; ".join(f"`{new}` = {', '.join(old)}" for new, old in classes.items())
        for target, classes in card.targets.items()
    ]
    lines = [
        f"## {name}\n",
        f"{card.title}.\n",
        f"- **Citation:** {card.citation}",
        f"- **Terms of use:** {card.terms}",
        f"- **Archive:** {card.archive['url'] if card.archive else 'none'}",
        f"- **Folder:** `{card.folder}`, below the folder that `FEATX_DATA` names",
        *(["- **Targets:**", *targets] if targets else []),
        *(f"- **Known fault:** {fault}" for fault in card.known_faults),
    ]
    return "\n".join(lines) + "\n"


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


#: Functions that replace ``<!-- generated: NAME -->`` in a page, by name.
GENERATED: dict[str, Callable[[], str]] = {
    "commands": commands,
    "stages": stages,
    "recipes": recipes,
    "estimators": estimators,
    "datasets": datasets,
}
