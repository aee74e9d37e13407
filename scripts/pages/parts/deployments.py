"""What a deployment can set: each parameter with its default."""

import inspect

from pages.docstrings import attributes, listed, with_default
from token_refresh_infra.context import ParameterError, ParameterGroup, Reader, readers_of


def parameters(cls: type) -> str:
    """Return the parameters that a class declares itself."""
    readers, docs = readers_of(cls), attributes(cls)
    rows = (
        (
            _names(field, readers[field]),
            with_default(docs[field].meaning, docs[field].default or _default(readers[field])),
        )
        for field in inspect.get_annotations(cls)
    )
    return listed(*rows)


def _names(field: str, reader: Reader | ParameterGroup) -> str:
    return ", ".join(f"`{name}`" for name in (reader.names if isinstance(reader, ParameterGroup) else (field,)))


def _default(reader: Reader | ParameterGroup) -> str:
    """Return what its reader makes of a parameter that is not set; nothing if it stays so."""
    try:
        found = None if isinstance(reader, ParameterGroup) else reader("", None)
    except ParameterError:
        return "none, it is required"
    match found:
        case None | ():
            return ""
        case bool():
            return f"`{str(found).lower()}`"
        case int():
            return str(found)
        case _:
            return f"`{found}`"
