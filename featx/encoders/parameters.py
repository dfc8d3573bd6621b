"""Parameters that classes declare as fields, and share with their subclasses."""

import re
from dataclasses import MISSING, Field, dataclass, field
from inspect import Parameter, cleandoc, get_annotations, signature
from typing import Any, ClassVar, dataclass_transform

_INHERITED = "Parameters", "Attributes", "Raises"


@dataclass_transform(eq_default=False, kw_only_default=True, field_specifiers=(field,))
class DeclaredParameters:
    """Base of stages that declare their parameters as fields, as dataclasses do.

    A subclass inherits the parameters of its parent with their entries in the docstring. It adds
    its own, and declares an inherited one again only where its default differs. ``__init__``, its
    signature and the sections of the docstring are completed when the class is defined; a class
    with an ``__init__`` of its own keeps it.
    """

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        parent = next(base for base in cls.__mro__[1:] if issubclass(base, DeclaredParameters))
        documentation = cls.__doc__
        if "__init__" not in vars(cls):
            dataclass(eq=False, repr=False, kw_only=True)(cls)
            _order_parameters(cls, parent)
            cls.__doc__ = documentation  # where there is none, dataclass puts the signature
        if parent is not DeclaredParameters and documentation:
            cls.__doc__ = _completed(cls, parent)
        super().__init_subclass__(**kwargs)


_Declared = type[DeclaredParameters]


def _order_parameters(cls: _Declared, parent: _Declared) -> None:
    """Order the parameters in the signature of ``__init__``; the call is the same by keywords."""
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
    """Return the parameters of a class before the inherited ones.

    Where the class declares an inherited one again, those inherited before it come first.
    """
    names: list[str] = []
    for name in own:
        if name in inherited:
            before = inherited[: inherited.index(name)]
            names += [other for other in before if other not in own and other not in names]
        names.append(name)
    return names + [name for name in inherited if name not in names]


def _completed(cls: _Declared, parent: _Declared) -> str:
    """Return the docstring with the entries of the parent's that it lacks."""
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
    """Return the entries of parameters in the order of the signature."""
    return {name: entries[name] for name in signature(cls).parameters if name in entries}


def _docstring(sections: dict[str, str]) -> str:
    """Join sections to a docstring in numpydoc's form; empty ones are left out."""
    return "\n\n".join(
        f"{title}\n{'-' * len(title)}\n{body}" if title else body
        for title, body in sections.items()
        if body
    )


def _sections(docstring: str) -> dict[str, str]:
    """Split a docstring in numpydoc's form into its sections; the first has no title."""
    first, *others = re.split(r"^(\w[\w ]*)\n-+\n", cleandoc(docstring), flags=re.MULTILINE)
    bodies = zip(others[::2], others[1::2], strict=True)
    return {"": first.strip()} | {title: body.strip() for title, body in bodies}


def _entries(body: str | None) -> dict[str, str]:
    """Split a section into its entries, by name."""
    entries = re.split(r"\n(?=\S)", body) if body else []
    return {re.split(r" ?:|\n", entry)[0]: entry for entry in entries}


def _with_default(cls: _Declared, parent: _Declared, name: str, entry: str) -> str:
    """Put the default of the class in the place of its parent's."""
    default = cls.__dataclass_fields__[name].default
    if default is MISSING or default == parent.__dataclass_fields__[name].default:
        return entry
    head, text = entry.split("\n", 1)
    shown = f'"{default}"' if isinstance(default, str) else repr(default)
    return f"{head.partition(', default=')[0]}, default={shown}\n{text}"
