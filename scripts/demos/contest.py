"""The demo's short contest: what can go wrong, with a careful handler, one with a claim, and the worker."""

import contextlib
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Final

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from demos.account import Account
from demos.events import COMMAND, CONTESTANTS, EVENTS, KEPT, LOST, WAITS, Contestant, Ended, Event, Stage, ended
from demos.report import new_table
from token_refresh_worker.providers.provider import Provider, Rotation

_INTRODUCTION: Final = (
    ": what goes wrong with three ways to refresh, on real parts, without an AWS account: a Secrets Manager with AWS's "
    "rules, Lambda's runtime, an OAuth server (django-oauth-toolkit). A refresh token {tokens}.\n"
)
_LEGEND: Final = (
    "kept: runs go on. waits: runs fail, with an alarm; one within nine hours went on. command: runs fail until "
    "somebody runs a command. LOST: somebody must authorize again."
)
_READ_ON: Final = (
    "Try --provider with yours, such as upwork. --all plays every step of this worker, --serve is for your own code. "
    "docs/protocol.md says how it works, docs/proof.md how we tried to break it."
)
_COLOURS: Final = {KEPT: "green", WAITS: "yellow", COMMAND: "yellow", LOST: "bold red"}


def play(provider: Provider | None = None) -> int:
    """Play it, and return the exit code: 1 if anything is otherwise than it says.

    Args:
        provider: Whose refresh tokens the contest is played with; None: they work once.
    """
    began = time.monotonic()
    console = Console(highlight=False)
    console.print(Text.assemble(("token-refresh-worker", "bold"), _INTRODUCTION.format(tokens=_tokens(provider))))
    told = Table.grid(padding=(0, 2))
    for contestant in CONTESTANTS:
        told.add_row(contestant.name, contestant.about)
    console.print(told)
    table = new_table("", *(contestant.column for contestant in CONTESTANTS))
    rows = play_events(provider)
    for event, row in rows:
        table.add_row(event.title, *(Text(ended.ending, _COLOURS[ended.ending]) for ended in row))
    console.print(Padding(table, (1, 0)))
    console.print(_LEGEND)
    wrong = unexpected(rows, single_use=provider is None)
    if wrong:
        console.print(Text(f"FAILED, not so: {'; '.join(wrong)}", "bold red"))
        return 1
    console.print(Text(figures(rows), "bold"))
    console.print(f"{advice(rows)} {_READ_ON}\nPlayed in {time.monotonic() - began:.0f} s.")
    return 0


def unexpected(rows: Sequence[tuple[Event, Sequence[Ended]]], *, single_use: bool) -> list[str]:
    """Name where the worker sent a used token, and where tokens work once each ending that is not the expected one."""
    wrong = []
    for event, row in rows:
        if row[-1].rejected:
            wrong.append(f"{event.title}: this worker sends no used token")
        elif single_use and tuple(ended.ending for ended in row) != event.expected:
            wrong.append(f"{event.title}: {', '.join(event.expected)}")
    return wrong


def figures(rows: Sequence[tuple[Event, Sequence[Ended]]]) -> str:
    """Say who lost how many grants, and how many used tokens were sent."""
    counts = [
        f"{contestant.name} {sum(row[number].ending is LOST for _, row in rows)}"
        f" ({sum(row[number].rejected for _, row in rows)})"
        for number, contestant in enumerate(CONTESTANTS)
    ]
    return f"Grants lost in {len(rows)} events (used refresh tokens rejected): {', '.join(counts)}."


def advice(rows: Sequence[tuple[Event, Sequence[Ended]]]) -> str:
    """Say what follows for somebody who would write a small handler."""
    careful, claim, worker = ([event.title for event, row in rows if row[n].ending is LOST] for n in range(3))
    if not careful:
        return "Here a careful handler is enough, with an alarm on its errors."
    if len(careful) == 1:
        return f"Here a careful handler with an alarm on its errors is enough, unless this happens: {careful[0]}."
    return (
        f"Somebody must authorize again after {len(careful)} events with a careful handler, "
        f"{len(claim)} with one that claims, {len(worker)} with this worker."
    )


def _tokens(provider: Provider | None) -> str:
    if provider is None:
        return "works once; sent twice, it counts as stolen, and the provider revokes the grant"
    if not provider.needs_refresh_token:
        return f"never changes: {provider.title} has none, and what it has instead can be sent again, too"
    if provider.rotation is Rotation.NEVER:
        return f"never changes, as at {provider.title}"
    if not provider.grace.duration:
        return f"works once, as at {provider.title}"
    hours = provider.grace.duration / timedelta(hours=1)
    return f"works again for {hours:g} h once it was used, as at {provider.title}"


def play_events(provider: Provider | None) -> list[tuple[Event, tuple[Ended, ...]]]:
    """Play each contestant on an account of its own, beside the others: most of the time they wait."""
    rotates = provider is None or (provider.rotation is not Rotation.NEVER and provider.needs_refresh_token)
    grace = provider.grace.duration if provider and rotates else timedelta(0 if rotates else 30)
    with ThreadPoolExecutor(len(CONTESTANTS)) as beside, contextlib.ExitStack() as opened:

        def played(contestant: Contestant) -> list[Ended]:
            account = opened.enter_context(Account(grace_seconds=round(grace.total_seconds()), rotates=rotates))
            stage = Stage(contestant, account, opened)
            return [ended(event, stage) for event in EVENTS]

        return [*zip(EVENTS, zip(*beside.map(played, CONTESTANTS), strict=True), strict=True)]
