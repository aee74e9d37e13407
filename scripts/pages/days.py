"""Days on schedule, on the demo's parts: what the runs logged, as CloudWatch would take it up."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from demos.account import Account
from testbed.aws_lambda.function import SCHEDULED_EVENT, Function, Invocation

EACH_HOURS = 0.5
HOURS = 106
KILLED_FROM_HOUR = 48
REVOKED_AT_HOUR = 90
AUTHORIZED_AT_HOUR = 101.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """One run's end."""

    hour: float
    failed: bool
    fields: dict[str, Any]
    """The last line of its log; empty where the process died without one."""


@dataclass(slots=True)
class _Days:
    account: Account
    function: Function
    runs: list[Logged] = field(default_factory=list)

    def play(self) -> None:
        self.account.authorize()
        killed = False
        for number in range(int(HOURS / EACH_HOURS)):
            hour = number * EACH_HOURS
            if hour == REVOKED_AT_HOUR:
                self.account.provider.revoke()
            if hour == AUTHORIZED_AT_HOUR:
                self.account.authorize()
            if hour < KILLED_FROM_HOUR or killed:
                self._log(hour, self.function.invoke(SCHEDULED_EVENT))
            else:
                killed = self._kill_if_it_refreshes(hour)
            self.account.store.clock_offset_seconds += EACH_HOURS * 3600

    def _kill_if_it_refreshes(self, hour: float) -> bool:
        """Run, and kill the process once its new tokens are staged; return whether that came to pass."""
        with self.account.function() as function:
            hold = self.account.store.fault("hold_after", "PutSecretValue", nth=2)
            pending = function.begin(SCHEDULED_EVENT)
            while not (staged := hold.reached.wait(0.05)) and not pending.done():
                pass
            if staged:
                function.kill()
            self.account.store.faults.clear()
            self._log(hour, pending.result())
        return staged

    def _log(self, hour: float, invocation: Invocation) -> None:
        lines = [json.loads(line) for line in invocation.logs if line.startswith("{")]
        ended = [line for line in lines if line["event"] in {"token_refresh_finished", "token_refresh_failed"}]
        fields = ended[-1] if ended else {}
        self.runs.append(Logged(hour=hour, failed=invocation.error_type is not None, fields=fields))


def play() -> list[Logged]:
    """Run each half hour; kill one run halfway, revoke the grant once, and authorize again hours later."""
    with Account() as account, account.function() as function:
        days = _Days(account, function)
        days.play()
    return days.runs
