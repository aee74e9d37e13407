"""The senders of webhooks: what each signs, and its name in the package."""

import re
import sys

from pages.docstrings import attributes, table
from token_refresh.webhooks import SENDERS, Scheme

_FACTS = re.compile(r"(.*)\. Signed: (.*)\. Key: (.*)\. Type: (.*)\.")


def senders() -> str:
    """Return what each sender signs, and what a delivery is told by."""
    rows = (_row(scheme) for scheme in SENDERS.values())
    return table(("sender", "`Scheme`", "signed", "`delivery.key`", "`delivery.type`"), *rows)


def names() -> str:
    """Return the senders as entries of the reference."""
    entries = (
        f".. py:data:: {scheme.name.upper()}\n   :type: Scheme\n\n   {sender}; signed: {signed}."
        for scheme in SENDERS.values()
        for sender, _, signed, *_ in [_row(scheme)]
    )
    return "\n".join(("```{eval-rst}", ".. currentmodule:: token_refresh.webhooks", "", "\n\n".join(entries), "```"))


def _row(scheme: Scheme) -> tuple[str, ...]:
    constant = scheme.name.upper()
    found = _FACTS.fullmatch(attributes(sys.modules[scheme.read.__module__])[constant].meaning)
    if found is None:
        raise ValueError(f"the docstring of {constant} says not what is signed, or not what key and type are")
    sender, *facts = found.groups()
    return (sender, f"`{constant}`", *facts)
