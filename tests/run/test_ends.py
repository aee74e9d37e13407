"""Random lives of token sets: what a reader gets has not ended; what is due is due before every end; healthy is both.

A provider whose tokens live as long as it likes, and come again; another job that writes what it likes; commands.
"""

import random
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final
from unittest.mock import patch

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from examples import examples
from run.world import World
from testbed.builders import DAY, HOUR, MINUTE, policy
from testbed.fakes import FakeStore
from token_refresh.secret_value import SecretValue
from token_refresh.stored.access_token import AccessToken, read_access_token
from token_refresh.stored.times import iso
from token_refresh_admin.changes import change
from token_refresh_admin.changes import client as client_module
from token_refresh_admin.changes import pause as pause_module
from token_refresh_admin.changes import restore as restore_module
from token_refresh_admin.changes.change import ChangeFailed, fields_of
from token_refresh_admin.changes.client import replace_client
from token_refresh_admin.changes.past import VersionHistory
from token_refresh_admin.changes.pause import Pausing
from token_refresh_worker.core import schedule
from token_refresh_worker.core.schedule import Policy, due_at, grant_end, known_lifetime, run_period
from token_refresh_worker.core.snapshot import TokenSet
from token_refresh_worker.core.versions import CURRENT
from token_refresh_worker.oauth.formats import Grant
from token_refresh_worker.oauth.response import TokenResponse
from token_refresh_worker.run import snapshot_reader
from token_refresh_worker.run.memory import Memory
from token_refresh_worker.run.renewal import Renewal
from token_refresh_worker.run.snapshot_reader import SnapshotReader
from token_refresh_worker.stored.credentials import ClientCredentials
from token_refresh_worker.stored.document import TokenDocument
from token_refresh_worker.stored.origin import IN_VERSIONS, in_table

GROUP = "unmeasured"
LIVES: Final = (HOUR, 2 * HOUR, 10 * HOUR, DAY, 60 * DAY)
GRANTS: Final = (None, 2 * DAY, 14 * DAY, 100 * DAY)
SECOND: Final = timedelta(seconds=1)
NEVER: Final = timedelta(0)


@dataclass(eq=False)
class Life:
    """A token set, what its provider knows of it, and what may happen to it."""

    seed: int
    chance: random.Random = field(init=False)
    world: World = field(init=False)
    ends: dict[str, datetime] = field(default_factory=dict)
    """When each access token ends."""
    vain: list[str] = field(default_factory=list)
    """The access tokens that came again, in order of issue."""
    theirs: set[str] = field(default_factory=set)
    """The access tokens that another job stored: beside each is what was learned of the one before."""
    told: timedelta = field(init=False)
    """How long tokens live at least while nobody says it."""
    grant: timedelta | None = field(init=False)
    grant_ends_at: datetime | None = None
    unused_until: datetime = field(init=False)
    """When the provider ends the grant if nobody uses it."""
    same: float = field(init=False)
    """How likely the same token comes again."""
    said: list[str] = field(default_factory=list)
    """What happened, for whoever reads a failure."""

    def __post_init__(self) -> None:
        """Begin with a set that a person saved."""
        self.chance = random.Random(self.seed)  # noqa: S311 - a repeatable choice
        self.is_grant = self.chance.random() < 0.2
        self.lives = LIVES[3:] if self.is_grant else LIVES
        documented, self.grant = self.chance.choice((None, *self.lives)), self.chance.choice(GRANTS)
        self.same = self.chance.choice((0.1, 0.6))
        idle = self.chance.choice((None, self.grant))
        rules = replace(policy(), lifetime=documented, idle=idle, token_is_grant=self.is_grant)
        self.world = World(policy=rules, stored=False, published=self.chance.random() < 0.5)
        request = replace(self.world.provider.request, grant=Grant.EXCHANGE if self.is_grant else Grant.REFRESH_TOKEN)
        self.world.provider = replace(self.world.provider, access_token_lifetime=documented, request=request)
        self.told = documented or self.lives[0]
        self.store(self.told)

    @property
    def now(self) -> datetime:
        return self.world.clock.service_now

    def new(self, lives: timedelta) -> str:
        name = f"access-{len(self.ends)}"
        self.ends[name] = self.now + lives
        return name

    def store(self, lives: timedelta) -> None:
        """Store a token as another job does: its own keys, with times that may be wrong."""
        name = self.new(lives)
        self.theirs.add(name)
        wrong = self.chance.choice((0, 0, 1, 2, 14, -5, 24 * 100, 24 * 4000)) * HOUR
        before = self.world.current() if self.world.labels() else {}
        if self.world.policy.lifetime is None and "lifetime_seconds" not in before.get("tokenRefresh", {}):
            wrong = min(wrong, NEVER)  # Nobody knows better.
        expires_at, issued_at = self.ends[name] + wrong, self.now + self.chance.choice((0, 0, 400, -400)) * DAY
        times: dict[str, Any] = {"expires_at": expires_at, "issued_at": issued_at}
        if self.chance.random() < 0.3:
            half = timedelta(milliseconds=500)
            times = {"expiresAt": iso(expires_at + half), "issuedAt": iso(issued_at), "expires_at": None}
        kept = {key: before[key] for key in ("tokenRefresh", "refreshToken") if key in before}
        self.world.save(**kept, **times, accessToken=name)
        # It refreshed, and nobody knows to when that moved the grant's end.
        self.grant_ends_at = None
        self.used()
        self.said.append(f"{self.now}: {name} lives {lives}, and is stored with {expires_at}, {issued_at}")

    def used(self) -> None:
        idle = self.world.policy.idle
        self.unused_until = self.now + (idle or 9999 * DAY)

    def respond(self) -> TokenResponse:
        """Return a new token, or the one before with what is left of it."""
        assert self.grant_ends_at is None or self.now < self.grant_ends_at, "the grant ended"
        name = str(self.world.current()["accessToken"])
        left = self.ends[name] - self.now
        assert not self.is_grant or left > NEVER, "the grant ended with its token"
        assert self.now < self.unused_until, "the grant ended unused"
        # Beside another job's token is what was learned of the one before, so that it is asked for later.
        most = 0 if self.is_grant and name in self.theirs else 2
        again = self.chance.random() < self.same and self.vain.count(name) < most
        self.used()
        moment, is_silent, stated = self.chance.random() < 0.2, self.may_be_silent(again=again), max(left, NEVER)
        if again:
            self.vain.append(name)
        else:
            stated = self.told if is_silent else self.chance.choice(self.lives)
            name = self.new(stated)
        if self.grant is not None:
            self.grant = self.chance.choice((self.grant, self.grant, 2 * DAY, 14 * DAY))
            self.grant_ends_at = self.now + self.grant
        self.said.append(f"{self.now}: {name} comes, which lives {stated}; the grant ends {self.grant_ends_at}")
        return TokenResponse(
            access_token=SecretValue(name),
            refresh_token=SecretValue("refresh-0"),
            lifetime=None if moment or is_silent else stated,
            expires_at=self.ends[name] + timedelta(milliseconds=300) if moment and not is_silent else None,
            refresh_token_ends=() if self.grant is None else (self.grant,),
        )

    def may_be_silent(self, *, again: bool) -> bool:
        """Whether a response may leave a documented lifetime out; not of a token that counts as over."""
        document = self.read().document
        ends_at = document.spelling.read_time(document.fields, document.spelling.expires_at)
        is_over = again and (ends_at is None or ends_at <= self.now)
        return self.world.policy.lifetime is not None and not is_over and self.chance.random() < 0.3

    def read(self) -> TokenSet:
        parts = self.world.run().parts
        return SnapshotReader(parts=parts, memory=Memory(clock=self.world.clock)).read().current

    def run(self) -> str:
        self.world.endpoint.responses = [self.respond]
        outcome = self.world.outcome()
        self.said.append(f"{self.now}: {outcome}")
        return outcome

    def command(self) -> None:
        """Let a person replace the client, move the claims, pause, or bring the token set before back."""
        may_restore = () if self.is_grant else (self.restore,)
        act = self.chance.choice((self.replace_client, self.move, self.pause, *may_restore))
        self.said.append(f"{self.now}: {act.__name__}")
        act()

    def replace_client(self) -> None:
        given = ClientCredentials(client_id=f"client-{self.now}", client_secret=SecretValue("hush"))
        replace_client(self.world.run().parts, None, given, shown=self.world.store.read(label=CURRENT))

    def pause(self) -> None:
        lasts = self.chance.choice((2 * HOUR, DAY, 7 * DAY))
        with suppress(ChangeFailed):  # The grant would end.
            Pausing(open=lambda: self.world.run().parts).pause(lasts, "maintenance")
            self.world.pass_time(lasts)

    def move(self) -> None:
        self.world.move(in_table("claims") if self.world.policy.claim_store == IN_VERSIONS else IN_VERSIONS)

    def restore(self) -> None:
        past = VersionHistory(parts=self.world.run().parts)
        with suppress(ChangeFailed):
            older = restore_module.prepare(past, restore_module.choose(past, None), lambda _: self.world.policy)
            older.store(self.world.run().parts).publish()
            self.grant_ends_at = None  # The set from before knows another end, or none.

    def given(self, store: FakeStore | None) -> AccessToken | None:
        """Return what a reader gets that has just begun."""
        version = store.read(label=CURRENT) if store else None
        if version is None or version.value is None:
            return None
        return read_access_token(version.value, "", stored_at=version.created_at)

    def check(self, outcome: str) -> None:
        """Look at what is stored, as readers and as `status` do."""
        current, served = self.read(), self.given(self.world.store)
        assert served is not None
        if outcome == "fresh":
            self.check_healthy(current, served)
        known = known_lifetime(current.document, self.world.policy)
        whose = {"the copy": self.given(self.world.published) if known else None, "the set": served}
        for name, found in whose.items():
            if found and (name == "the copy" or "lifetime_seconds" in self.world.current().get("tokenRefresh", {})):
                # Called over, it is kept for a second.
                latest = max(self.ends[found.value.reveal()], self.now) + SECOND
                assert found.expires_at <= latest, f"a reader of {name} keeps a token that has ended"

    def check_healthy(self, current: TokenSet, served: AccessToken) -> None:
        document, rules, name = current.document, self.world.policy, served.value.reveal()
        assert served.expires_at > self.now, "a run says fresh, and readers raise"
        assert self.ends[name] > self.now, "a run says fresh, and the token has ended"
        due, end = due_at(document, rules), grant_end(document, current.stored_at, rules)
        assert due is not None
        assert document.expires_at is not None
        assert document.expires_at <= self.ends[name] + SECOND
        assert self.grant_ends_at is None or due < self.grant_ends_at, "due after the grant's end"
        assert end is None or not end.is_idle or due < end.at, "due after the end of a grant that nobody uses"
        in_vain = [*dict.fromkeys(self.vain)][-2:]
        taught = name in in_vain or len(in_vain) == 2 or name in self.theirs
        assert due < document.expires_at or taught, "asked for at its end, untaught"


def live(seed: int) -> None:
    """Live through a few weeks of random events."""
    life = Life(seed)
    try:
        life.check(life.run())
        for _ in range(life.chance.randint(5, 40)):
            document, what = life.read().document, life.chance.random()
            period, due = run_period(document, life.world.policy), due_at(document, life.world.policy)
            if what < 0.08:
                lasts = known_lifetime(document, life.world.policy) or life.told
                life.store(max(lasts, life.chance.choice(life.lives)))
            elif what < 0.2:
                life.command()
            elif what < 0.7 and due is not None:
                # Until then runs do nothing.
                life.world.pass_time(max(NEVER, due - life.now - period * life.chance.random()))
            life.world.pass_time(life.chance.choice((MINUTE, period / 2, period, period)))
            life.check(life.run())
    except AssertionError as error:
        raise AssertionError("\n".join([str(error), f"seed {seed}", *life.said[-12:]])) from error


@settings(max_examples=examples(500), deadline=None)
@example(16358503)  # paused after the stated end of an earlier set, and before the end of a grant that nobody uses
@given(st.integers(0, 2**40))
def test_no_end_is_missed(seed: int) -> None:
    """Whatever responses, other jobs and commands store, nobody gets a token that has ended, or hears that it lives."""
    live(seed)


believed, is_over = schedule.believed, TokenResponse.is_over


def from_its_issue(document: TokenDocument, stored_at: datetime, rules: Policy) -> TokenDocument:
    return believed(document, document.issued_at or stored_at, rules)


def issued_whenever(document: TokenDocument, stored_at: datetime, rules: Policy) -> TokenDocument:
    return replace(believed(document, stored_at, rules), issued_at=document.issued_at)


def the_longer_one(document: TokenDocument, rules: Policy) -> timedelta | None:
    of_set = document.origin.lifetime if document.origin else None
    return max(filter(None, (of_set, rules.lifetime)), default=None)


def at_the_end_at_last(end: Any) -> datetime:
    tries = (end.window, end.window / 4)
    left: timedelta = next((left for left in tries if end.asked_left is None or left < end.asked_left), NEVER)
    at: datetime = end.at
    return at - left


asked, left_of_same, grant_began_at = Renewal._asked, Renewal._left_of_same, Renewal._grant_began_at  # noqa: SLF001 - to break them


def one_token_teaches(self: Renewal, left: timedelta | None, sent_at: datetime) -> Any:
    found = asked(self, left, sent_at)
    return found and replace(found, tokens=2)


def silence_is_a_new_life(self: Renewal, response: TokenResponse, sent_at: datetime) -> timedelta | None:
    return None if self.document.expires_at is None else left_of_same(self, response, sent_at)


def nearer_is_not_moved(self: Renewal, ends_at: datetime | None, sent_at: datetime) -> datetime | None:
    before = self.document.origin
    nearer = before and before.grant_ends_at and ends_at and ends_at < before.grant_ends_at
    return before.grant_began_at if before and nearer else grant_began_at(self, ends_at, sent_at)


Patches = tuple[tuple[object, str, object], ...]
BUGS: Final[dict[str, tuple[int, Patches]]] = {
    "counted from issuedAt": (14, tuple((module, "believed", from_its_issue) for module in (snapshot_reader, change))),
    "an issue after it was stored": (25, ((snapshot_reader, "believed", issued_whenever),)),
    "the longer lifetime": (14, ((schedule, "known_lifetime", the_longer_one),)),
    "no longest life": (0, ((schedule, "believed_expiry", lambda expires_at, *_: expires_at),)),
    "a pause that outlasts a grant": (3, ((pause_module, "grant_ends", lambda *_: []),)),
    "a doubt stored anew": (14, ((client_module, "believed_fields", lambda _, version: fields_of(version)),)),
    "asked at the grant's end": (14, ((schedule._End, "due_at", property(at_the_end_at_last)),)),  # noqa: SLF001 - to break it
    "one token teaches": (7, ((Renewal, "_asked", one_token_teaches),)),
    "silence about a doubted end is a new life": (95, ((Renewal, "_left_of_same", silence_is_a_new_life),)),
    "zero is a new life": (
        0,
        ((TokenResponse, "is_over", lambda self, at: self.lifetime != NEVER and is_over(self, at)),),
    ),
    "a moment that has passed is a new life": (
        4,
        ((TokenResponse, "is_over", lambda self, _: self.lifetime == NEVER),),
    ),
    "a nearer end is not moved": (12, ((Renewal, "_grant_began_at", nearer_is_not_moved),)),
}
"""The first life that shows the bug, and how it is planted. Should lives change, a later one shows it."""


@pytest.mark.parametrize("bug", BUGS)
def test_planted_bugs_are_found(bug: str) -> None:
    """Each rule of what is believed, and of a grant's end, is needed."""
    with ExitStack() as planted:
        first, patches = BUGS[bug]
        for target, name, value in patches:
            planted.enter_context(patch.object(target, name, value))
        for seed in range(first, first + 300):
            with suppress(AssertionError):
                live(seed)
                continue
            return
    pytest.fail("no life shows it")
