"""Tell a history in the protocol's words: who did what, by the short names of versions.

`v0` is the first version, `o0` the operator's first, `c1` the first claim, `s1/v0` the tokens staged under `c1` on top
of `v0`, `n1` the record of the attempt under `c1`.
"""

import json
from itertools import pairwise

from proof.ports import Poll, Send
from proof.rules import Change, Event, Rules, canonical
from proof.starts import FIRST_VERSION
from proof.store import LOCKED, PUBLISHED, Append, Drop, Item, Keep, ListIds, Move, Open, Put, Read, ReadTable, Record
from proof.world import World
from token_refresh.errors import SecretAccessDenied
from token_refresh_worker.core.versions import (
    CLAIM,
    OUTCOME,
    claim_version_id,
    published_version_id,
    record_version_id,
    staged_version_id,
)
from token_refresh_worker.oauth.response import FailedRequest, TokenResponse
from token_refresh_worker.run.ports import SecretVersion

_CLAIMS_NAMED = 24
_DERIVED = claim_version_id, staged_version_id, record_version_id, published_version_id


def tell(rules: Rules, path: list[World], last: Change | None, violation: str) -> list[str]:
    """Return the lines of a trace.

    Args:
        rules: Of the search.
        path: The worlds from the first to the last.
        last: The change that violates, where it is a change and not the last world itself.
        violation: What is violated.
    """
    names = [f"W{number}" for number in range(1, len(path[0].workers) + 1)]
    order = list(range(len(names)))
    lines = []
    for before, after in pairwise(path):
        change = next(c for c in rules.changes(before) if c.world is not None and after == canonical(c.world))
        assert change.world is not None
        lines.append(_say(rules, change.event, change.world, [names[i] for i in order]))
        places = sorted(range(len(order)), key=change.world.workers.__getitem__)
        order = [order[place] for place in places]
    if last is not None:
        lines.append(_say(rules, last.event, path[-1], [names[i] for i in order]))
    return [*lines, f"VIOLATION: {violation}"]


def _say(rules: Rules, event: Event, world: World, workers: list[str]) -> str:
    if event.actor < 0:
        return f"clock     {event.how}" if event.what is None else f"operator  {event.how}"
    name = _Names(rules, world)
    what = name.call(event.what)
    response = name.response(event.response, event.what)
    return f"{workers[event.actor]}        {what}{response}{event.how and ' '}{event.how}".replace(" ;", ";")


class _Names:
    """Short names of the versions of one world."""

    def __init__(self, rules: Rules, world: World) -> None:
        claim, staged, record, published = _DERIVED
        versions = rules.store.texts(world.store)
        self._names = {FIRST_VERSION: "v0"}
        self._names |= {v: f"o{v.split('-')[1]}" for v in versions if v.startswith("operator-")}
        claims, last = {}, None
        for number in range(1, _CLAIMS_NAMED):
            last = claim(last)
            claims[last] = f"c{number}"
            self._names[record(last)] = f"n{number}"
        self._names |= claims
        for _ in range(3):  # staged on staged on staged
            bases = [v for v in (FIRST_VERSION, *versions) if v in self._names and v not in claims]
            for base in bases:
                for claim_id, short in claims.items():
                    self._names.setdefault(staged(claim_id, base), f"s{short[1:]}/{self._names[base]}")
        self._names |= {published(v): f"p({n})" for v, n in list(self._names.items())}

    def of(self, version_id: str | None) -> str:
        """Return a version's short name."""
        return "nothing" if not version_id else self._names.get(version_id, version_id[:8])

    def call(self, call: object) -> str:  # noqa: C901, PLR0911, PLR0912 - one a kind of call
        """Say what is called."""
        match call:
            case Read(secret, label, version_id):
                return f"reads {label or self.of(version_id)}{' of the published copy' if secret == PUBLISHED else ''}"
            case Put(_, version_id, text, label) if label == CLAIM:
                fields = json.loads(text) if text.startswith("{") else {"version_id": "", "attempt": 0}
                return (
                    f"claims {self.of(str(fields['version_id']))}: {self.of(version_id)}, attempt {fields['attempt']}"
                )
            case Put(_, version_id, text, label) if label == OUTCOME and '"outcome"' in text:
                return f"records {json.loads(text)['outcome']}: {self.of(version_id)}"
            case Put(_, version_id, _, label):
                return f"stores {self.of(version_id)} as {label}"
            case Move(_, label, to, remove_from):
                return f"moves {label} from {self.of(remove_from)} to {self.of(to)}"
            case ListIds():
                return "lists the versions"
            case ReadTable(table):
                return f"reads the {table}"
            case Append(item, after, table):
                return f"claims in the {table}: {self.of(item.claim_id)}, number {item.number}, after {self.of(after)}"
            case Record(claim_id, text, table):
                return f"records {json.loads(text)['outcome']} of {self.of(claim_id)} in the {table}"
            case Keep(claim_id, _, table):
                return f"keeps the tokens of {self.of(claim_id)} in the {table}"
            case Open():
                return "decrypts kept tokens"
            case Drop(_, table):
                return f"removes kept tokens from the {table}"
            case Send(refresh_token, host):
                return f"redeems {refresh_token} at {host}"
            case Poll():
                return "waits for the other's claim"
            case _:
                return str(call)

    def response(self, response: object, call: object) -> str:  # noqa: PLR0911 - one a kind of reply
        """Say what came back."""
        match response:
            case SecretVersion():
                return f": {self.of(response.version_id)}" if isinstance(call, Read) and call.label else ": there"
            case Item():
                return f": {self.of(response.claim_id)}"
            case SecretAccessDenied() if response is LOCKED:
                return ": locked"
            case None:
                return ": none" if isinstance(call, Read | ReadTable) else ""
            case False:
                return ": refused" if isinstance(call, Put | Move) else ""
            case TokenResponse():
                return ": tokens"
            case FailedRequest(error=str() as error):
                return f": {error}"
            case _:
                return ""
