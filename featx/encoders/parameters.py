"""Stage parameters declared as dataclass fields and inherited by subclasses."""

import re
from dataclasses import MISSING, Field, dataclass, field
from inspect import Parameter, cleandoc, get_annotations, signature
from typing import Any, ClassVar, dataclass_transform

_INHERITED = "Parameters", "Attributes", "Raises"


@dataclass_transform(eq_default=False, kw_only_default=True, field_specifiers=(field,))
class DeclaredParameters:
    """Base class for stages that declare their parameters as dataclass fields.

    A subclass inherits the parameters of its parent and their docstring entries. It redeclares an
    inherited parameter only to change its default. ``__init__``, its signature and the docstring
    sections are completed when the class is defined. A class that defines ``__init__`` keeps it.
    """

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        parent = next(base for base in cls.__mro__[1:] if issubclass(base, DeclaredParameters))
        documentation = cls.__doc__
        if "__init__" not in vars(cls):
            dataclass(eq=False, repr=False, kw_only=True)(cls)
            _order_parameters(cls, parent)
            cls.__doc__ = documentation  # dataclass replaces a missing docstring
        if parent is not DeclaredParameters and documentation:
            cls.__doc__ = _completed(cls, parent)
        super().__init_subclass__(**kwargs)


_Declared = type[DeclaredParameters]


def _order_parameters(cls: _Declared, parent: _Declared) -> None:
    """Reorder the parameters in the signature of ``__init__``; keyword calls are unaffected."""
    init: Any = cls.__init__
    made = signature(init)
    own = [name for name in get_annotations(cls) if name in made.parameters]
    inherited = [name for name in signature(parent).parameters if name in made.parameters]
    ordered = sorted(
        (made.parameters[name] for name in ["self", *_merged(own, inherited)]),
        key=lambda parameter: parameter.kind == Parameter.KEYWORD_ONLY,
    )
    init.__signature__ = made.replace(parameters=ordered)


def _merged(own: list[str], inherited: list[str]) -> list[str]:
    """Return the parameters of a class, followed by the inherited ones.

    A redeclared parameter comes after those that precede it in the parent.
    """
    names: list[str] = []
    for name in own:
        if name in inherited:
            before = inherited[: inherited.index(name)]
            names += [other for other in before if other not in own and other not in names]
        names.append(name)
    return names + [name for name in inherited if name not in names]


def _completed(cls: _Declared, parent: _Declared) -> str:
    """Return the docstring, completed by the entries of the parent that it lacks."""
    documented, inherited = _sections(cls.__doc__ or ""), _sections(parent.__doc__ or "")
    for section in _INHERITED:
        own, others = _entries(documented.get(section)), _entries(inherited.get(section))
        if section == "Parameters":
            others = {name: _with_default(cls, parent, name, others[name]) for name in others}
            entries = _by_signature(cls, others | own) | own
        else:
            entries = own | {name: others[name] for name in others if name not in own}
        documented[section] = "\n".join(entries.values())
    first = {title: documented.pop(title, "") for title in ("", *_INHERITED)}
    return _docstring(first | documented)


def _by_signature(cls: _Declared, entries: dict[str, str]) -> dict[str, str]:
    """Sort the entries of parameters in the order of the signature."""
    return {name: entries[name] for name in signature(cls).parameters if name in entries}


def _docstring(sections: dict[str, str]) -> str:
    """Join sections into a numpydoc docstring, without empty ones."""
    return "\n\n".join(
        f"{title}\n{'-' * len(title)}\n{body}" if title else body
        for title, body in sections.items()
        if body
    )


def _sections(docstring: str) -> dict[str, str]:
    """Split a numpydoc docstring into its sections; the first has no title."""
    first, *others = re.split(r"^(\w[\w ]*)\n-+\n", cleandoc(docstring), flags=re.MULTILINE)
    bodies = zip(others[::2], others[1::2], strict=True)
    return {"": first.strip()} | {title: body.strip() for title, body in bodies}


def _entries(body: str | None) -> dict[str, str]:
    """Split a section into its entries, by name."""
    entries = re.split(r"\n(?=\S)", body) if body else []
    return {re.split(r" ?:|\n", entry)[0]: entry for entry in entries}


def _with_default(cls: _Declared, parent: _Declared, name: str, entry: str) -> str:
    """Replace the parent's default in an entry by the default of the class."""
    default = cls.__dataclass_fields__[name].default
    if default is MISSING or default == parent.__dataclass_fields__[name].default:
        return entry
    head, text = entry.split("\n", 1)
    shown = f'"{default}"' if isinstance(default, str) else repr(default)
    return f"{head.partition(', default=')[0]}, default={shown}\n{text}"
