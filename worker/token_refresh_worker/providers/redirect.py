"""What a provider's redirect brings beside RFC 6749's parameters, and which redirects it accepts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import Final

from token_refresh.stored.access_token import EXTRA_NAME
from token_refresh_worker.providers.format_schema import FIELD
from token_refresh_worker.providers.table import TomlTable
from token_refresh_worker.providers.variables import EndpointVariable

_OWN: Final = frozenset({"state", "iss", "error", "code"})  # RFC 6749 section 4.1.2, RFC 9207


class Loopback(StrEnum):
    """Which redirect to this machine the provider accepts."""

    NONE = "none"
    """None: redirects are https, to a host with a name."""
    LOCALHOST = "localhost"
    """`http://localhost`, and no IP address."""
    IP = "ip"
    """`http://127.0.0.1` or `http://[::1]`, and not `localhost`."""
    NAME = "name"
    """None: the parameter is a name that the provider gives the registered URL (eBay)."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class RedirectVariable:
    """A variable of the endpoints that the redirect chooses, from a closed list: it never supplies a host."""

    parameter: str
    start: str
    """The variable's value on the authorization page, unless the operator has named another."""
    values: Mapping[str, str] = field(hash=False)
    """The variable's value for each value of the parameter."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class RedirectFormat:
    """How a redirect differs from RFC 6749's."""

    code_name: str = "code"
    keep: tuple[str, ...] = ()
    """Parameters that go into the token document under their own names. Each must come."""
    variables: Mapping[str, RedirectVariable] = field(default_factory=dict, hash=False)
    signature: str | None = None
    """The parameter with the HMAC-SHA256 of all others, in hex, by the client secret; it must come."""
    loopback: Loopback | None = None
    """None where no source says it: any."""

    @property
    def once(self) -> frozenset[str]:
        """The parameters that a redirect may have once: two programs could read two different values."""
        chosen = {variable.parameter for variable in self.variables.values()}
        return _OWN | {self.code_name, *self.keep, *chosen} | ({self.signature} if self.signature else set())


def read_redirect_format(table: TomlTable, variables: Mapping[str, EndpointVariable]) -> RedirectFormat:
    """Read the keys about the redirect from the table `authorization`."""
    found = RedirectFormat(
        code_name=table.text("code_name", "code", pattern=FIELD),
        keep=table.texts("keep_redirect", pattern=EXTRA_NAME.pattern),
        variables=table.table("redirect_variables", partial(_variables, variables)),
        signature=table.text("signature", None, pattern=FIELD),
        loopback=table.choice("loopback", Loopback, None),
    )
    if taken := sorted((_OWN | {found.code_name}) & {*found.keep, found.signature}):
        raise table.error("keep_redirect", f"without {taken[0]}, which a redirect has anyway")
    return found


def _variables(known: Mapping[str, EndpointVariable], table: TomlTable) -> dict[str, RedirectVariable]:
    return {name: table.table(name, partial(_variable, name, known.get(name))) for name in table.keys}


def _variable(name: str, known: EndpointVariable | None, table: TomlTable) -> RedirectVariable:
    found = RedirectVariable(
        parameter=table.text("parameter", pattern=FIELD),
        start=table.text("start"),
        values=table.texts_by_key("values", keys=r"[A-Za-z0-9._-]+"),
    )
    # Only a closed list: else the redirect, which comes through the browser, could choose who receives the code.
    if known is None or not known.choices or not {found.start, *found.values.values()} <= set(known.choices):
        raise table.error("values", f"values of the variable {name}, as start is, and that has a closed list of them")
    if not found.values or found.parameter in _OWN:
        raise table.error("values", "a table, not empty, for a parameter that a redirect doesn't have anyway")
    return found
