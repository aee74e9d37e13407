"""What the worker declares: variables, outcomes, errors, the rules of the protocol, and the events that it sends."""

import inspect

from pages.docstrings import attributes, listed, with_default, words
from token_refresh import errors as tree
from token_refresh_worker.core.announcement import Transition
from token_refresh_worker.core.plan import RULES
from token_refresh_worker.run.outcome import OutcomeName
from token_refresh_worker.run.settings import Variable


def variables() -> str:
    """Return each variable with its default; those that parameters describe are in one row."""
    docs = attributes(Variable)
    rows = [(f"`{one}`", with_default(docs[one].meaning, docs[one].default)) for one in Variable if one in docs]
    others = ", ".join(f"`{one}`" for one in Variable if one not in docs)
    return listed(*rows, (others, "The [parameters](parameters.md) of these names, without `_ID`."))


def outcomes() -> str:
    """Return each outcome that a run can have."""
    docs = attributes(OutcomeName)
    return listed(*((f"`{one.value}`", docs[one.name].meaning) for one in OutcomeName))


def errors() -> str:
    """Return each class that a run can end with, in the order of the tree; its message says what to do."""
    found = [kind for kind in vars(tree).values() if inspect.isclass(kind) and kind.__module__ == tree.__name__]
    leaves = [kind for kind in found if not any(other.__base__ is kind for other in found)]
    return listed(*((f"`{kind.__name__}`", words(kind).meaning) for kind in leaves))


def rules() -> str:
    """Return the rules of the plan in their order."""
    return "\n".join(
        f"{number}. `{rule.check.__name__}`: {words(rule.check).meaning} *{rule.reason[0].upper()}{rule.reason[1:]}.*"
        for number, rule in enumerate(RULES, 1)
    )


def transitions() -> str:
    """Return each event about a grant."""
    docs = attributes(Transition)
    return listed(*((f"`{one.value}`", docs[one.name].meaning) for one in Transition))
