"""The steps of the fleet's demo. Each checks what it says, and what it shows are names, counts and outcomes."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from rich.console import RenderableType

from demos.fleets.account import FLEET, PATIENCE_SECONDS, FleetAccount
from demos.fleets.providers import HANGING, REAL
from demos.report import new_table
from demos.scene import Check
from token_refresh_worker.fleet.core.row import State


@dataclass(slots=True)
class Stage:
    """A step while it is played."""

    account: FleetAccount
    say: Callable[[RenderableType], None]
    everything_printed: Callable[[], str] = str
    checks: list[Check] = field(default_factory=list)

    def check(self, claim: str, expected: object, actual: object) -> None:
        """Check what the step says."""
        self.checks.append(Check(claim=claim, expected=expected, actual=actual))

    def command(self, *arguments: str) -> int:
        """Run a command as an operator does, show it with what it prints, and return its exit status."""
        self.say(f"$ token-refresh {' '.join(arguments)}")
        status, printed = self.account.run(*arguments)
        self.say(printed)
        return status

    def refreshes(self) -> dict[str, int]:
        """Count what each provider has refreshed."""
        return {name: self.account.providers.refreshes(name) for name in self.account.providers.names}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A step as the story has it."""

    title: str
    why: str
    play: Callable[[Stage], None]


def deployed(stage: Stage) -> None:
    """Deploy the stack."""
    account = stage.account
    account.deploy()
    resources = Counter(r["Type"].removeprefix("AWS::") for r in account.stack.template["Resources"].values())
    for kind in ("Lambda::Function", "SQS::Queue", "DynamoDB::Table", "Scheduler::Schedule", "IAM::Role"):
        stage.say(f"{resources[kind]:>3}  {kind}")
    stage.check("functions that were deployed", 3, resources["Lambda::Function"])


def joined(stage: Stage) -> None:
    """Store the token sets, and let the resync find them."""
    account = stage.account
    account.enrol()
    counts = account.invoke("ResyncName", {})
    stage.check("rows that the resync added", account.size, counts.get("added"))
    # Nobody knows yet where their requests would go, so their first runs only read.
    account.invoke("DispatcherName", {})
    wait_until(lambda: all(row.host for row in account.rows().values()))
    stage.check("secrets that a first run has read", account.size, sum(bool(r.host) for r in account.rows().values()))
    stage.check("refreshes by these runs", 0, sum(stage.refreshes().values()))
    stage.command("fleet", "status", "--fleet", FLEET, "--limit", "0")


def one_hangs(stage: Stage) -> None:
    """Let everything be due while one provider reads requests and sends nothing."""
    account = stage.account
    providers = account.providers
    providers.hanging.hang()
    began = time.monotonic()
    others = {name: len(account.names_of(name)) for name in providers.names if name != HANGING}
    # A provider of which nothing is known gets five at once, and more with each success.
    hand_out_until(account, lambda: all(providers.refreshes(name) >= count for name, count in others.items()))
    seconds = time.monotonic() - began
    # Taken while it still hangs; afterwards its backlog runs at once, too.
    hung = account.mapping.most_at_once.get(HANGING, 0)
    table = new_table("provider", "secrets", "refreshed", "most runs at once")
    for name, count in stage.refreshes().items():
        table.add_row(name, str(len(account.names_of(name))), str(count), str(account.mapping.most_at_once.get(name)))
    stage.say(table)
    stage.say(f"The others were done {seconds:.0f} s after the dispatcher began, while {hung} runs hung at {HANGING}.")
    stage.check("refreshed by the four others", others, {name: stage.refreshes()[name] for name in others})
    stage.check(f"refreshed by {HANGING}, which hangs", 0, stage.refreshes()[HANGING])
    stage.check("the hanging provider got a part of the runs", True, 1 <= hung <= HANGING_RUNS)


HANGING_RUNS = 4
"""Half of the eight runs at once: no provider's first tries get more."""


def responds_again(stage: Stage) -> None:
    """Let the provider respond, and wait for its secrets."""
    account = stage.account
    account.providers.hanging.respond_again()
    hand_out_until(account, lambda: Counter(_states(account)) == {State.HEALTHY: account.size})
    stage.command("fleet", "status", "--fleet", FLEET, "--limit", "5")
    stage.check("secrets that are fresh", account.size, _states(account).count(State.HEALTHY))
    counts = {name: len(account.names_of(name)) for name in account.providers.names}
    stage.check("each grant was refreshed exactly once", counts, stage.refreshes())
    stage.check("grants that their providers still accept", account.size, account.live_grants())


def revoked(stage: Stage) -> None:
    """Revoke one customer's grant, and run on it."""
    account = stage.account
    name = account.names_of(REAL)[0]
    account.providers.real.revoke(account.document(name)["refresh_token"])
    account.invoke("FunctionName", {"secret_id": account.secrets[name], "force": True})
    events = account.events("Reauthorization Required")
    for event in events:
        stage.say(f"EventBridge: Reauthorization Required, provider {event['provider']}, since {event['since']}")
    status = stage.command("fleet", "status", "--fleet", FLEET, "--state", "reauthorize")
    stage.check("exit status: 1, somebody has to act", 1, status)
    stage.check("events on the bus", [account.secrets[name]], [event["secret_id"] for event in events])
    states = Counter(_states(account))
    stage.check("all others are as before", {State.REAUTHORIZE: 1, State.HEALTHY: account.size - 1}, dict(states))


def authorized_again(stage: Stage) -> None:
    """Authorize again with the command, on the provider's own page."""
    account = stage.account
    name = account.names_of(REAL)[0]
    stage.say(f"$ token-refresh authorize {name} --provider {REAL} --fleet {FLEET}")
    stage.check("exit status of authorize", 0, account.authorize(name))
    account.invoke("DispatcherName", {})
    wait_until(lambda: Counter(_states(account)) == {State.HEALTHY: account.size})
    events = account.events("Reauthorized")
    for event in events:
        stage.say(f"EventBridge: Reauthorized, provider {event['provider']}, since {event['since']}")
    stage.check("events on the bus", [account.secrets[name]], [event["secret_id"] for event in events])
    stage.check("exit status: 0, healthy", 0, stage.command("fleet", "status", "--fleet", FLEET, "--limit", "0"))
    stage.check("grants that their providers accept", account.size, account.live_grants())


def writes_refused(stage: Stage) -> None:
    """Let Secrets Manager refuse writes while a secret of each provider is refreshed, and take them again."""
    account = stage.account
    names = [account.names_of(provider)[-1] for provider in account.providers.names]
    before = stage.refreshes()
    account.store.fault("deny", operation="PutSecretValue", times=None)
    account.force_runs(names)
    kept = [name for name, error in _errors(account).items() if error == "TokensKept"]
    stage.say(f"The providers gave {len(names)} new token sets. Secrets Manager refused them, so the table keeps them.")
    stage.check("secrets whose new tokens the table keeps", sorted(names), sorted(kept))
    account.store.faults.clear()
    stage.say(
        "Secrets Manager takes writes again. An operator makes the secrets due; the fleet would by itself, later."
    )
    stage.check("exit status of add", 0, stage.command("fleet", "add", *names, "--fleet", FLEET))

    def stored() -> bool:
        account.invoke("DispatcherName", {})
        return not any(_errors(account).values())

    wait_until(stored)
    stage.check("secrets whose tokens are not stored", 0, sum(map(bool, _errors(account).values())))
    stage.check("exit status: 0, healthy", 0, stage.command("fleet", "status", "--fleet", FLEET, "--limit", "0"))
    once = {provider: count + 1 for provider, count in before.items()}
    stage.check("each of these grants was refreshed exactly once", once, stage.refreshes())
    stage.check("grants that their providers accept", account.size, account.live_grants())


def table_lost(stage: Stage) -> None:
    """Delete the table, rebuild the rows from the tags, and let the schedule start the dispatcher."""
    account = stage.account
    before = stage.refreshes()
    account.lose_table()
    stage.check("rows after the loss", 0, len(account.rows()))
    stage.check("exit status of resync", 0, stage.command("fleet", "resync", "--fleet", FLEET))
    stage.check("rows after the resync", account.size, len(account.rows()))
    stage.say("Nobody starts the dispatcher now: a copy of its schedule does, with the same role, a second from now.")
    stage.check("the dispatcher's schedule", "rate(1 minute)", account.bring_forward())
    wait_until(lambda: Counter(_states(account)) == {State.HEALTHY: account.size})
    stage.command("fleet", "status", "--fleet", FLEET, "--limit", "0")
    stage.check("secrets that are fresh", account.size, _states(account).count(State.HEALTHY))
    stage.check("refresh tokens that were sent again", 0, sum(stage.refreshes().values()) - sum(before.values()))
    stage.check("grants that their providers accept", account.size, account.live_grants())


def nothing_shown(stage: Stage) -> None:
    """Look for every token and client secret in the functions' logs, and in all that was printed here."""
    account = stage.account
    logged = account.logs()
    printed = "\n".join((stage.everything_printed(), *account.printed, *logged))
    secrets = account.unspeakable()
    stage.check("every token was looked for", True, len(secrets) > 2 * account.size)
    stage.check("the functions logged each run", True, len(logged) > 2 * account.size)
    stage.check("tokens and client secrets in logs and output", 0, sum(secret in printed for secret in secrets))


def hand_out_until(account: FleetAccount, condition: Callable[[], bool]) -> None:
    """Run the dispatcher, as each minute does, until a condition is true; the checks that follow say whether it is."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition() and time.monotonic() < end:
        account.invoke("DispatcherName", {})
        time.sleep(1)


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for a condition; the checks that follow say whether it came true."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition() and time.monotonic() < end:
        time.sleep(0.2)


def _errors(account: FleetAccount) -> dict[str, str | None]:
    return {name: row.seen.error_type if row.seen else None for name, row in account.rows().items()}


def _states(account: FleetAccount) -> list[State | None]:
    return [row.seen.state if row.seen else None for row in account.rows().values()]


STORY = (
    Step(
        title="A fleet is deployed",
        why="What scripts/deploy makes: a table, a FIFO queue and others for failures, three functions, two schedules.",
        play=deployed,
    ),
    Step(
        title="Secrets of five providers join",
        why="Each token secret carries the fleet's tag. The resync finds them all and gives each a row. "
        "Their tokens expire in five minutes, so the command calls them overdue.",
        play=joined,
    ),
    Step(
        title="All are due at once, and one provider hangs",
        why=f"{HANGING} reads every request and sends nothing. It holds up its own secrets and nobody else's.",
        play=one_hangs,
    ),
    Step(
        title="The provider responds again",
        why="The runs that hung are repeated, since this provider accepts that for a day. The rest follow.",
        play=responds_again,
    ),
    Step(
        title="A customer revokes a grant",
        why="A forced run finds out, and reports it: as a row for operators, and as one event for everybody else.",
        play=revoked,
    ),
    Step(
        title="The customer authorizes again",
        why="One command, on the provider's own page. The fleet looks at the secret within a minute.",
        play=authorized_again,
    ),
    Step(
        title="Secrets Manager refuses to write",
        why="The providers redeem the old tokens, and the new ones can't be stored. None is lost.",
        play=writes_refused,
    ),
    Step(
        title="The table is lost, and rebuilt",
        why="One resync rebuilds the rows from the tags. The claims are lost, too; no fresh token is refreshed again.",
        play=table_lost,
    ),
    Step(
        title="No secret was printed",
        why="Neither logs nor commands show a token or a client secret.",
        play=nothing_shown,
    ),
)
