"""A fleet on the virtual clock, with the real dispatcher, planner, worker and adapter."""

import random
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from benchmarks.fleets.account import Bucket, Killed, VirtualQueue, VirtualSecretsManager, version_of
from benchmarks.fleets.providers import LIFETIME, Fault, VirtualProvider
from benchmarks.fleets.runs import FLEET, POLICY, TABLE, host_name, virtual_invocation
from testbed.dynamodb.virtual import VirtualDynamoDb
from testbed.fakes import FakeLog
from testbed.virtual_clock import STARTED, VirtualClock
from token_refresh.errors import TokenRefreshError
from token_refresh.stored.refresh_window import refresh_window
from token_refresh_worker.core.versions import published_version_id
from token_refresh_worker.fleet.aws import items
from token_refresh_worker.fleet.aws.index import TableIndex
from token_refresh_worker.fleet.core.breaker import STORE
from token_refresh_worker.fleet.core.dispatch import decide
from token_refresh_worker.fleet.core.fleet import WRITES_WITH_A_COPY, Limits, Message, ProviderLimits
from token_refresh_worker.fleet.core.gauges import measure
from token_refresh_worker.fleet.core.row import LastRun, Row, State
from token_refresh_worker.fleet.dispatcher import hand_out, read_fleet, wait_for_turn
from token_refresh_worker.fleet.worker import FleetWorkerDependencies, run_member
from token_refresh_worker.run.events import Trigger
from token_refresh_worker.run.outcome import CurrentTokens


class RowReader:
    """Reads rows from items, and each item once: a third of the time would go into rows that have not changed."""

    def __init__(self, read: Callable[[items.Item, datetime], Row]) -> None:
        self._read = read
        self._known: dict[str, tuple[items.Item, Row]] = {}

    def __call__(self, item: items.Item, now: datetime) -> Row:
        """Read a row. The table makes a new item of each write, so the same item is the same row."""
        known = self._known.get(item[items.KEY]["S"])
        if known is None or known[0] is not item:
            known = self._known[item[items.KEY]["S"]] = item, self._read(item, now)
        return known[1]

    def forget(self) -> None:
        """Read everything anew."""
        self._known.clear()


READ_ROW = items.read_row = RowReader(items.read_row)
WINDOW = refresh_window(POLICY.refresh_window, LIFETIME)
SECONDS_A_MINUTE = 60
KILLED_SECONDS = 90.0
"""When Lambda ends a run that does not end."""
LATEST_FAULT_SECONDS = 15.0
"""The second of a minute matters only while its messages run."""


@dataclass(slots=True)
class Tally:
    """What happened to the secrets, as the provider and Secrets Manager know it."""

    expired: set[str] = field(default_factory=set)
    late: dict[str, list[float]] = field(default_factory=dict)
    """Seconds from due to stored, by provider."""
    runs: int = 0
    refreshed: int = 0
    errors: dict[str, int] = field(default_factory=dict)
    gauges: list[Mapping[str, float]] = field(default_factory=list)
    """Of each minute, where the world is `measured`."""
    breakers: Counter[str] = field(default_factory=Counter)
    """Minutes in which each breaker was open; of a host's, its provider's."""
    dispatches_failed: int = 0


class World:
    """Secrets of several providers, and everything that keeps them fresh."""

    def __init__(  # noqa: PLR0913 - a world, each part by its name
        self,
        providers: Mapping[str, int],
        *,
        due: Callable[[int, random.Random], float],
        limits: Limits | None = None,
        writes_per_second: float = 50.0,
        hosts: int = 1,
        seed: int = 1,
        keeps: bool = True,
        measured: bool = False,
        copies: bool = False,
    ) -> None:
        """Store the secrets.

        Args:
            providers: How many secrets each has.
            due: In how many seconds a secret is due, by its number.
            limits: The dispatcher's limits.
            writes_per_second: What is left of the account's quota.
            hosts: How many token hosts each provider has.
            seed: Of everything that is random.
            keeps: Whether the table keeps tokens that Secrets Manager refuses.
            measured: Whether the scenario wants the gauges of each minute.
            copies: Whether each secret has a copy for services.
        """
        # The runs draw from the module's own generator; the same seed gives the same figures on any machine.
        random.seed(seed)
        self.clock, self.chance = VirtualClock(), random.Random(seed)  # noqa: S311 - no secret
        self.limits = limits or Limits(writes_a_run=WRITES_WITH_A_COPY if copies else Limits().writes_a_run)
        self.copies: dict[str, str] | None = {} if copies else None
        """The ARN of each secret's copy."""
        self.account = VirtualSecretsManager(self.clock, writes_per_second=writes_per_second)
        self.queue = VirtualQueue(self.clock, self._run, self.limits.concurrency)
        self.table = VirtualDynamoDb(self.clock, self.chance)
        client: Any = self.table
        self.index = TableIndex(client, TABLE, FLEET)
        self.keeps, self.measured = keeps, measured
        self.tally = Tally()
        self.providers = {name: VirtualProvider(self.clock, name, self.chance, hosts=hosts) for name in providers}
        self.provider_limits = {name: ProviderLimits() for name in providers}
        self.of: dict[str, str] = {}
        self.host: dict[str, int] = {}
        self.expiry: dict[str, datetime] = {}
        self.deaf = (0.0, 0.0)
        """Seconds from and to which no dispatcher runs."""
        self.latest_start = 0.0
        """By how much a dispatcher may start late."""
        self.doubled = 0.0
        """In which share of the minutes a second dispatcher starts."""
        self.poisoned: set[str] = set()
        """ARNs of secrets whose runs kill their function."""
        number = 0
        for name, count in providers.items():
            # At random: neighbours in time are no neighbours at the provider.
            of_each = [place % hosts for place in range(count)]
            self.chance.shuffle(of_each)
            for host in of_each:
                self._store(name, number, host, due(number, self.chance))
                number += 1
        self._next = number
        self.crew = FleetWorkerDependencies(
            fleet=FLEET,
            index=self.index,
            send_event=None,
            log=FakeLog(),
            read_document=self._read,
            chance=self.chance.random,
            clock=self.clock,
        )

    def limit(self, provider: str, per_second: float) -> None:
        """Let a provider refuse more requests than so many a second."""
        self.providers[provider].limit = Bucket(self.clock, per_second, max(2.0, per_second))
        self.provider_limits[provider] = ProviderLimits(runs_per_second=per_second)

    def break_down(self, provider: str, minute: float, *, minutes: float, **fault: Any) -> Fault:
        """Break a provider's hosts for a while, from a random second of a minute on."""
        begins, ends = self.span(minute, minutes)
        found = Fault(begins=begins, ends=ends, **fault)
        self.providers[provider].faults.append(found)
        return found

    def span(self, minute: float, minutes: float) -> tuple[float, float]:
        """Return the seconds from and to which something is wrong."""
        begins = minute * SECONDS_A_MINUTE + self.chance.uniform(0, LATEST_FAULT_SECONDS)
        return begins, begins + minutes * SECONDS_A_MINUTE

    def forget(self) -> None:
        """Let no row know its secret's provider, nor anything else."""
        now = self.clock.now
        rows = (Row(secret_arn=arn, provider="unknown", added_at=now, next_at=now) for arn in self.of)
        self.table.put_all(items.write_row(row, FLEET) for row in rows)

    def join(self, provider: str, count: int, *, expired: bool = True) -> list[str]:
        """Let imported secrets join, of which nobody knows anything yet."""
        due_seconds = self.clock.seconds - (WINDOW.total_seconds() + SECONDS_A_MINUTE if expired else 0)
        joined = []
        for _ in range(count):
            secret_arn = self._store(provider, self._next, 0, due_seconds, is_known=False)
            self._next += 1
            joined.append(secret_arn)
        return joined

    def slip(self, minute: float, minutes: float, *, behind: float) -> None:
        """Let the index be so many minutes behind for a while."""
        self.table.lag = (*self.span(minute, minutes), behind * SECONDS_A_MINUTE)

    def stale(self) -> set[str]:
        """Return the secrets whose access token has expired at this moment."""
        return {secret_arn for secret_arn, expiry in self.expiry.items() if expiry <= self.clock.now}

    def minutes_until_fresh(self, limit: int, *, but: Collection[str] = ()) -> int:
        """Let time pass until no access token is expired any more, and say how many minutes that took."""
        for minute in range(limit):
            if not self.stale() - set(but):
                return minute
            self.run(1)
        return limit

    def run(self, minutes: float) -> None:
        """Let time pass, with a dispatcher each minute."""
        ends = self.clock.seconds + minutes * SECONDS_A_MINUTE
        while self.clock.seconds < ends:
            for _ in range(1 + (self.chance.random() < self.doubled)):
                late = self.chance.uniform(0, self.latest_start)
                self.clock.at(self.clock.seconds + late, lambda: self.clock.start(self._dispatch))
            self.clock.run_until(min(ends, self.clock.seconds + SECONDS_A_MINUTE))
        for secret_arn, expiry in self.expiry.items():
            if expiry <= self.clock.now:
                self.tally.expired.add(secret_arn)

    def drain(self) -> None:
        """Let what was handed out come to its end."""
        self.clock.run_until(self.clock.seconds + 3 * SECONDS_A_MINUTE)

    def lose_index(self) -> None:
        """Delete the table with its claims, and let the resync fill it from the tags, without what runs found."""
        # The claims are in the same table, so a loss takes them as well.
        self.table.clear()
        self.forget()

    def double_redemptions(self) -> int:
        """Count refresh tokens that were sent and redeemed more than once."""
        return sum(count > 1 for provider in self.providers.values() for count in provider.redeemed.values())

    def dead(self) -> set[str]:
        """Return the secrets whose newest tokens no version has, nor the table, while no run is under way."""
        found = set()
        for secret_arn, provider in self.of.items():
            documents = self.account.stored(secret_arn)
            tokens = [each["refreshToken"].split("|") for each in documents if "refreshToken" in each]
            newest = max(int(generation) for _, generation in tokens)
            if newest != self.providers[provider].generations.get(tokens[0][0], 0):
                found.add(secret_arn)
        return {arn for arn in found if "kept_tokens" not in self.table.items.get(arn, {})}

    def behind(self) -> set[str]:
        """Return the secrets whose row says that the copy has not the current access token."""
        return {row.secret_arn for row in self.index.rows() if row.copy_behind_at is not None}

    def quantile(self, share: float, *, but: str = "") -> float:
        """Return the seconds from due to stored that this share of the refreshes took at most."""
        times = sorted(t for provider, late in self.tally.late.items() if provider != but for t in late)
        return times[min(len(times) - 1, int(share * len(times)))] if times else 0.0

    def _store(self, provider: str, number: int, host: int, due_seconds: float, *, is_known: bool = True) -> str:
        due_at = STARTED + timedelta(seconds=due_seconds)
        expires_at = due_at + WINDOW
        issued_at = expires_at - LIFETIME
        secret_arn = self.account.store(
            f"{provider}/{number}",
            {
                "provider": provider,
                "accessToken": "access",
                "refreshToken": f"{number}|0",
                "expiresAt": round(expires_at.timestamp() * 1000),
                "issuedAt": round(issued_at.timestamp() * 1000),
                "clientId": "client",
                "clientSecret": "hush",
                # As the last run wrote it; a token set that no run has written costs its first run one more read.
                "tokenRefresh": {
                    "host": host_name(provider, host),
                    "grace_seconds": 0,
                    **POLICY.claim_store.as_fields(),
                },
            },
        )
        if self.copies is not None:
            of = published_version_id(version_of(f"{provider}/{number}"))
            published = {"accessToken": "access", "expiresAt": round(expires_at.timestamp() * 1000)}
            self.copies[secret_arn] = self.account.store(f"published/{provider}/{number}", published, version_id=of)
        seen = LastRun(
            at=issued_at,
            state=State.HEALTHY,
            since=issued_at,
            outcome="refreshed",
            error_type=None,
            requests=1,
            failures=0,
            succeeded_at=issued_at,
            tokens=CurrentTokens(version_id="v0", expires_at=expires_at, due_at=due_at),
            host=host_name(provider, host),
        )
        now = self.clock.now
        known = Row(secret_arn=secret_arn, provider=provider, added_at=issued_at, next_at=due_at, seen=seen)
        new = Row(secret_arn=secret_arn, provider="unknown", added_at=now, next_at=now)
        self.table.put_all([items.write_row(known if is_known else new, FLEET)])
        self.of[secret_arn], self.expiry[secret_arn], self.host[secret_arn] = provider, expires_at, host
        return secret_arn

    def _dispatch(self) -> None:
        begins, ends = self.deaf
        if begins <= self.clock.seconds < ends:
            return
        try:
            now = wait_for_turn(self.index, self.clock)
            fleet = replace(read_fleet(self.index, self.limits, now), providers=self.provider_limits)
            decision = decide(fleet, now)
            if self.measured:
                self.tally.gauges.append(measure(fleet, decision, now))
            self.tally.breakers.update(
                {STORE if lane == STORE else lane.partition("/")[0] for lane in decision.breakers}
            )
            hand_out(decision, self.index, self.queue.send, self.clock, now)
        except TokenRefreshError:
            self.tally.dispatches_failed += 1

    def _run(self, message: Message) -> None:
        secret_arn = message.secret_arn
        if secret_arn in self.poisoned:
            self.clock.sleep(KILLED_SECONDS)
            raise Killed
        endpoint = self.providers[self.of[secret_arn]].at(self.host[secret_arn])
        copy_arn = (self.copies or {}).get(secret_arn)
        run = virtual_invocation(
            self.clock, self.account, endpoint, self.table, secret_arn, keeps=self.keeps, copy_arn=copy_arn
        )
        report = run_member(self.crew, Trigger(name="fleet", secret_id=secret_arn, probe=message.probe), run)
        self.tally.runs += 1
        if report and report.error_type:
            self.tally.errors[report.error_type] = self.tally.errors.get(report.error_type, 0) + 1
        elif report and report.made_current and report.tokens.expires_at:
            self._note(secret_arn, report.tokens.expires_at)

    def _note(self, secret_arn: str, expires_at: datetime) -> None:
        """Note that new tokens are current."""
        before = self.expiry[secret_arn]
        self.expiry[secret_arn] = expires_at
        self.tally.refreshed += 1
        late = (self.clock.now - (before - WINDOW)).total_seconds()
        self.tally.late.setdefault(self.of[secret_arn], []).append(late)
        if self.clock.now > before:
            self.tally.expired.add(secret_arn)

    def _read(self, secret_arn: str) -> Mapping[str, object]:
        self.clock.sleep(0.06)
        return self.account.current(secret_arn)
