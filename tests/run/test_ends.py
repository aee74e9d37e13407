"""Random lives of token sets: what a reader gets has not ended; what is due is due before every end; healthy is both.

A provider whose tokens live as long as it likes, and come twice; another job that writes what it likes; commands.
"""

import random
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from examples import examples
from run.world import World
from testbed.builders import DAY, HOUR, MINUTE, policy
from token_refresh.secret_value import SecretValue
from token_refresh.stored.access_token import read_access_token
from token_refresh.stored.times import iso
from token_refresh_admin.changes.client import replace_client
from token_refresh_worker.core.schedule import due_at, grant_end, known_lifetime, run_period
from token_refresh_worker.core.snapshot import TokenSet
from token_refresh_worker.core.versions import CURRENT
from token_refresh_worker.oauth.response import TokenResponse
from token_refresh_worker.run.memory import Memory
from token_refresh_worker.run.snapshot_reader import SnapshotReader
from token_refresh_worker.stored.credentials import ClientCredentials

LIVES = (HOUR, 2 * HOUR, 10 * HOUR, DAY, 60 * DAY)
GRANTS = (None, 2 * DAY, 14 * DAY, 100 * DAY)
SECOND = timedelta(seconds=1)


@dataclass
class Life:
    """A token set, what its provider knows of it, and what may happen to it."""

    seed: int
    chance: random.Random = field(init=False)
    world: World = field(init=False)
    ends: dict[str, datetime] = field(default_factory=dict)
    """When each access token ends."""
    told: timedelta = field(init=False)
    """The longest life that the stored set may count on."""
    grant: timedelta | None = field(init=False)
    grant_ends_at: datetime | None = None
    said: list[str] = field(default_factory=list)
    """What happened, for whoever reads a failure."""

    def __post_init__(self) -> None:
        """Begin with a set that a person saved."""
        self.chance = random.Random(self.seed)  # noqa: S311 - a repeatable choice
        documented, self.grant = self.chance.choice((None, *LIVES)), self.chance.choice(GRANTS)
        idle = self.chance.choice((None, self.grant))
        self.is_grant = self.chance.random() < 0.2
        rules = replace(policy(), lifetime=documented, idle=idle, token_is_grant=self.is_grant)
        self.world = World(policy=rules, stored=False, published=self.chance.random() < 0.5)
        self.world.provider = replace(self.world.provider, access_token_lifetime=documented)
        self.told = documented or HOUR
        self.store(self.told)

    @property
    def now(self) -> datetime:
        return self.world.clock.service_now

    def new(self, lives: timedelta) -> str:
        name = f"access-{len(self.ends)}"
        self.ends[name] = self.now + lives
        return name

    def store(self, lives: timedelta) -> None:
        """Store a token as another job does: its own keys, with an expiry that may be wrong."""
        name = self.new(lives)
        wrong = self.chance.choice((0, 0, 1, 2, 14, -5, 24 * 100, 24 * 4000)) * HOUR
        before = self.world.current() if self.world.labels() else {}
        if "tokenRefresh" not in before and self.world.policy.lifetime is None:
            wrong = min(wrong, timedelta(0))  # Nobody knows better.
        expires_at, issued_at = self.ends[name] + wrong, self.now + self.chance.choice((0, 0, 400, -400)) * DAY
        times: dict[str, Any] = {"expires_at": expires_at, "issued_at": issued_at}
        if self.chance.random() < 0.3:
            half = timedelta(milliseconds=500)
            times = {"expiresAt": iso(expires_at + half), "issuedAt": iso(issued_at), "expires_at": None}
        kept = {key: before[key] for key in ("tokenRefresh", "refreshToken") if key in before}
        self.world.save(**kept, **times, accessToken=name)
        self.said.append(f"{self.now}: {name} lives {lives}, and is stored with {expires_at}, {issued_at}")

    def respond(self) -> TokenResponse:
        """Return a new token, or the one before with what is left of it."""
        assert self.grant_ends_at is None or self.now < self.grant_ends_at, "the grant ended"
        current = self.world.current()["accessToken"]
        left = self.ends[current] - self.now
        assert not self.is_grant or left > timedelta(0), "the grant ended with its token"
        if self.chance.random() < self.same:
            lives = left
            stated: timedelta | None = max(left, timedelta(0))
            name = current
        else:
            lives = self.chance.choice(LIVES)
            name, stated = self.new(lives), lives
        moment = self.chance.random() < 0.2 and stated
        if self.grant is not None:
            self.grant = self.chance.choice((self.grant, self.grant, 2 * DAY, 14 * DAY))
            self.grant_ends_at = self.now + self.grant
        self.said.append(
            f"{self.now}: a refresh brings {name}, which lives {lives}; the grant ends {self.grant_ends_at}"
        )
        return TokenResponse(
            access_token=SecretValue(name),
            refresh_token=SecretValue("refresh-0"),
            lifetime=None if moment else stated,
            expires_at=self.ends[name] if moment else None,
            refresh_token_ends=() if self.grant is None else (self.grant,),
        )

    @property
    def same(self) -> float:
        return 0.1

    def read(self) -> TokenSet:
        parts = self.world.run().parts
        return SnapshotReader(parts=parts, memory=Memory(clock=self.world.clock)).read().current

    def run(self) -> str:
        self.world.endpoint.responses = [self.respond]
        outcome = self.world.outcome()
        self.said.append(f"{self.now}: {outcome}")
        return outcome

    def command(self) -> None:
        """Replace the client, which stores the document again."""
        parts = self.world.run().parts
        given = ClientCredentials(client_id=f"client-{self.now}", client_secret=SecretValue("hush"))
        replace_client(parts, None, given, shown=self.world.store.read(label=CURRENT))
        self.said.append(f"{self.now}: the client is replaced")

    def check(self, outcome: str) -> None:
        """Look at what is stored, as a reader and as `status` do."""
        current = self.read()
        version = self.world.store.read(label=CURRENT)
        assert version is not None
        assert version.value is not None
        served = read_access_token(version.value, "", stored_at=version.created_at)
        assert served is not None
        due, true_end = due_at(current.document, self.world.policy), self.ends[served.value.reveal()]
        if outcome == "fresh":
            assert served.expires_at > self.now, "a run says fresh, and readers raise"
            assert true_end > self.now, "a run says fresh, and the token has ended"
            assert due is not None
            assert current.document.expires_at is not None
            assert current.document.expires_at <= true_end + SECOND
            assert due <= current.document.expires_at
            end = grant_end(current.document, current.stored_at, self.world.policy)
            if end is not None and end.is_idle:
                assert due < end.at, "due after the grant's end"
        if "lifetime_seconds" in self.world.current().get("tokenRefresh", {}):
            # Called over, it is kept for a second.
            assert served.expires_at <= max(true_end, self.now) + SECOND, "a reader keeps a token that has ended"


@pytest.mark.no_cover  # lives through days
@settings(max_examples=examples(1_000), deadline=None)
@given(st.integers(0, 2**40))
def test_no_end_is_missed(seed: int) -> None:
    """Whatever responses, other jobs and commands store, nobody gets a token that has ended, or hears that it lives."""
    life = Life(seed)
    try:
        life.check(life.run())
        for _ in range(life.chance.randint(5, 60)):
            document = life.read().document
            period = run_period(document, life.world.policy)
            what = life.chance.random()
            if what < 0.08:
                lasts = known_lifetime(document, life.world.policy) or life.told
                life.store(max(lasts, life.chance.choice(LIVES)))
            elif what < 0.16:
                life.command()
            life.world.pass_time(life.chance.choice((MINUTE, period / 2, period, period)))
            life.check(life.run())
    except AssertionError as error:
        raise AssertionError("\n".join([str(error), f"seed {seed}", *life.said[-12:]])) from error
