"""Variables in an endpoint, such as `{shop}` in `https://{shop}.myshopify.com/...`.

A token document may fill a variable. It must not be able to choose who receives the token, so a variable in the host
either has a closed list of values, or stands to the left of a literal domain.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import urlsplit

from token_refresh.errors import ConfigurationError
from token_refresh.stored.json_object import json_type
from token_refresh_worker.providers.endpoint import host_of, read_endpoint

PROVIDER_KEY: Final = "provider"
VARIABLES_KEYS: Final = ("providerVariables", "provider_variables")
"""Of two that are there, the first one counts. A set of tokens in one spelling may have the key of the other one."""

_PLACE: Final = re.compile(r"\{([a-z_]+)\}")
_HOST: Final = r"[\w{}-]+(\.[\w{}-]+)*"
# Narrower than a URL may be: credentials, fragments, IPv6 addresses and backslashes could hide the host.
_URL: Final = re.compile(rf"(?a)(https://{_HOST}|http://(127\.0\.0\.1|localhost))(:\d+)?([/?][\w{{}}./:?&=%~+,-]*)?")
_PORT: Final = re.compile(r":\d+\Z")
_VALUE: Final = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*")  # no character that ends a host or climbs a path
_LONGEST_VALUE: Final = 128
_MOST_CHOICES: Final = 200  # enough for regions, and quick to search
VARIABLE_IN_WORDS: Final = (
    f"a pattern, or a list of up to {_MOST_CHOICES} values that fit in a host name, or a table of them with what each "
    "stands for"
)
"""What `read_variable` takes."""
_LITERAL_DOMAIN: Final = re.compile(r"(?:\.[a-z0-9-]+){2,}")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class EndpointVariable:
    """A place in an endpoint, and what may fill it."""

    name: str
    pattern: str
    """What a value must match as a whole; empty where `choices` lists all values."""
    choices: tuple[str, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict, hash=False)
    """What a value stands for in the endpoint, where that isn't the value itself."""

    @property
    def must_be(self) -> str:
        """What a value must be, for an error message."""
        return f"one of {', '.join(self.choices)}" if self.choices else f"text that matches {self.pattern}"

    def accepts(self, value: object) -> bool:
        """Whether `value` may fill the place."""
        if not isinstance(value, str) or len(value) > _LONGEST_VALUE or not _VALUE.fullmatch(value):
            return False
        return value in self.choices if self.choices else re.fullmatch(self.pattern, value) is not None


def read_variable(name: str, value: object) -> EndpointVariable:
    """Read what may fill a place: a pattern, or a list of all values."""
    if isinstance(value, str):
        re.compile(value)  # raises, so that a run never meets a wrong pattern
        return EndpointVariable(name=name, pattern=value)
    if not isinstance(value, list | dict) or not 0 < len(value) <= _MOST_CHOICES:
        raise ValueError
    texts = value if isinstance(value, dict) else {}
    variable = EndpointVariable(name=name, pattern="", choices=tuple(value), texts=texts)
    fits = replace(variable, choices=(*value, *texts.values()))
    if not all(fits.accepts(choice) for choice in fits.choices):
        raise ValueError
    return variable


def provider_named_in(fields: Mapping[str, object]) -> str | None:
    """Return the provider that a token document names; None where it names none.

    An empty value counts as none; consoles that edit JSON leave it behind.
    """
    name = fields.get(PROVIDER_KEY)
    if name is None or isinstance(name, str):
        return name or None
    what = f"the token secret's key {PROVIDER_KEY} must be the name of a profile, and is a JSON {json_type(name)}"
    raise ConfigurationError(what, fix="Correct that key in the value")


def variables_in(fields: Mapping[str, object]) -> dict[str, object]:
    """Return the provider's variables that a token document names, in either spelling."""
    found = fields.get(next((key for key in VARIABLES_KEYS if key in fields), ""))
    return dict(found) if isinstance(found, dict) else {}


def places(template: str) -> frozenset[str]:
    """Return the names of the variables in `template`."""
    return frozenset(_PLACE.findall(template))


def read_template(value: object) -> str:
    """Read an endpoint that may have variables, and check it with a sample for each."""
    if not isinstance(value, str) or not _URL.fullmatch(value):
        raise ValueError
    sample = _PLACE.sub("a", value)
    if "{" in sample or "}" in sample:
        raise ValueError
    try:
        read_endpoint("endpoint", sample)
    except ConfigurationError:
        raise ValueError from None
    return value


def host_is_fixed(template: str, variables: Mapping[str, EndpointVariable]) -> bool:
    """Whether no value of a variable can move the host to another domain."""
    host = _PORT.sub("", urlsplit(template).netloc)
    for variable in variables.values():
        if variable.choices:
            # Labels add up, so the worst value of each list decides: a product of all lists could take hours.
            texts = [variable.texts.get(choice, choice) for choice in variable.choices]
            host = host.replace(f"{{{variable.name}}}", min(texts, key=_literal_labels))
    *_, last = _PLACE.split(host)
    return last == host or _LITERAL_DOMAIN.fullmatch(last) is not None


def _literal_labels(choice: str) -> int:
    """Count the labels of a domain; 0 for text that no domain has."""
    return choice.count(".") + 1 if _LITERAL_DOMAIN.fullmatch(f".{choice}.x") else 0


def fill(
    template: str, variables: Mapping[str, EndpointVariable], values: Mapping[str, object], *, provider: str
) -> str:
    """Put `values` into the places of `template`; an error names the variable, and never its value."""
    for name in sorted(places(template)):
        if not variables[name].accepts(values.get(name)):
            raise ConfigurationError(
                f"provider {provider} needs the variable {name}: add it to providerVariables (provider_variables in a "
                f"snake_case document) in the token secret. It must be {variables[name].must_be}"
            )
    texts = {name: variables[name].texts.get(str(values[name]), str(values[name])) for name in places(template)}
    filled = _PLACE.sub(lambda place: texts[place[1]], template)
    # No value holds a delimiter, so none can end the host early.
    assert host_of(filled) == urlsplit(filled).netloc.partition(":")[0].lower()  # noqa: S101 - cannot happen
    return filled
