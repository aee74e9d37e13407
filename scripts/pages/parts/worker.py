"""What the worker declares: variables, outcomes, errors, the rules of the protocol, and the events that it sends."""

from __future__ import annotations

import inspect

from pages.docstrings import attributes, table, words
from token_refresh import errors as tree
from token_refresh_worker.core.announcement import Transition
from token_refresh_worker.core.plan import RULES
from token_refresh_worker.run.outcome import OutcomeName
from token_refresh_worker.run.settings import Variable


def variables() -> str:
    """Return each variable with its default."""
    docs = attributes(Variable)
    rows = ((f"`{one}`", docs[one].default or "none", docs[one].meaning) for one in Variable)
    return table(("variable", "default", "meaning"), *rows)


def outcomes() -> str:
    """Return each outcome that a run can have."""
    docs = attributes(OutcomeName)
    return table(("`outcome`", "meaning"), *((f"`{one.value}`", docs[one.name].meaning) for one in OutcomeName))


def errors() -> str:
    """Return each class that a run can end with, in the order of the tree; the bases are left out."""
    found = [kind for kind in vars(tree).values() if inspect.isclass(kind) and kind.__module__ == tree.__name__]
    leaves = [kind for kind in found if not any(other.__base__ is kind for other in found)]
    rows = ((f"`{kind.__name__}`", words(kind).meaning, words(kind).fix) for kind in leaves)
    return table(("`errorType`", "meaning", "what to do"), *rows)


def rules() -> str:
    """Return the rules of the plan in their order."""
    return "\n".join(
        f"{number}. `{rule.check.__name__}`: {words(rule.check).meaning} *{rule.reason[0].upper()}{rule.reason[1:]}.*"
        for number, rule in enumerate(RULES, 1)
    )


def transitions() -> str:
    """Return each event about a grant."""
    docs = attributes(Transition)
    return table(("`detail-type`", "when"), *((f"`{one.value}`", docs[one.name].meaning) for one in Transition))
