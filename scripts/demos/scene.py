"""One numbered step of the demo: what ran, what changed, and whether that is what the step says."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from demos.account import Account, Version
from testbed.aws_lambda.function import SCHEDULED_EVENT, Function, Invoked


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """A step as the scenario has it."""

    title: str
    why: str
    """What happens and why it matters, in a sentence or two."""
    play: "Callable[[Scene], None]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """One run and how it ended."""

    name: str
    outcome: str
    """The outcome, or the error's type."""
    detail: str
    failed: bool
    logs: tuple[str, ...]
    result: str
    """What the invocation returned, as its caller sees it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that the step says, and whether it is so."""

    claim: str
    expected: object
    actual: object

    @property
    def holds(self) -> bool:
        """Whether it is so."""
        return self.expected == self.actual


@dataclass(slots=True)
class Scene:
    """A step while it is played. What is compared and shown is counts, outcomes and labels, never a value."""

    account: Account
    function: Function
    """One execution environment that stays warm over the steps, as Lambda's do."""
    before: Mapping[str, Version] = field(init=False)
    after: Mapping[str, Version] = field(init=False)
    hours_passed: int = 0
    """How far the clock was moved before the step's runs."""
    ran: list[Ran] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    everything_printed: Callable[[], str] = str
    """What the demo and all runs have printed so far."""
    _requests_before: int = field(init=False)
    _calls_before: int = field(init=False)

    def __post_init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Count and compare from here on; what the demo itself changed before is not the worker's doing."""
        self.before = self.after = self.account.versions()
        self._requests_before = self.account.refresh_requests()
        self._calls_before = len(self.account.store.calls)

    def let_hours_pass(self, hours: int) -> None:
        """Move the clock, and count and compare from there."""
        self.account.let_hours_pass(hours)
        self.hours_passed += hours
        self.begin()

    def end(self) -> None:
        """See what changed."""
        self.after = self.account.versions()

    def scheduled(self, name: str = "scheduled run") -> Ran:
        """Run as the schedule does."""
        return self.note(name, self.function.invoke(SCHEDULED_EVENT))

    def forced(self) -> Ran:
        """Run as a person does who wants new tokens now."""
        return self.note("forced run", self.function.invoke({"force": True}))

    def note(self, name: str, invocation: Invoked) -> Ran:
        """Keep how a run ended."""
        payload = invocation.payload if isinstance(invocation.payload, dict) else {}
        outcome = invocation.error_type or str(payload.get("outcome", "no outcome"))
        ran = Ran(
            name=name,
            outcome=outcome,
            detail=invocation.error_message or _when(payload, self.account.store.now()),
            failed=invocation.error_type is not None,
            logs=invocation.logs,
            result=json.dumps(invocation.payload),
        )
        self.ran.append(ran)
        self.end()
        return ran

    def check(self, claim: str, expected: object, actual: object) -> None:
        """Check what the step says."""
        self.checks.append(Check(claim=claim, expected=expected, actual=actual))

    @property
    def requests(self) -> int:
        """Refresh requests that the authorization server responded to in this step."""
        return self.account.refresh_requests() - self._requests_before

    @property
    def calls(self) -> int:
        """Calls to Secrets Manager that the worker made in this step."""
        return len(self.account.store.calls) - self._calls_before

    def labelled(self, label: str, *, before: bool = False) -> str | None:
        """Return the short ID of the version that has, or had, `label`."""
        versions = self.before if before else self.after
        return next((version.short_id for version in versions.values() if label in version.labels), None)

    @property
    def current_moved(self) -> bool:
        """Whether consumers read another version than before."""
        return self.labelled("AWSCURRENT", before=True) != self.labelled("AWSCURRENT")


def _when(payload: dict[str, Any], now: float) -> str:
    """Say when a later run has something to do."""
    key, words = ("retry_at", "another run may try in") if "retry_at" in payload else ("due_at", "due in")
    try:
        wait = datetime.fromisoformat(payload[key]) - datetime.fromtimestamp(now, UTC)
    except (KeyError, TypeError, ValueError):
        return ""
    hours, minutes = divmod(round(wait / timedelta(minutes=1)), 60)
    return f"{words} {f'{hours} h ' if hours else ''}{minutes} min"
