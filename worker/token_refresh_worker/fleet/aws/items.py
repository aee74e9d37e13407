"""Rows and pauses as DynamoDB items.

    key `secret_arn`       holds
    `row#ARN`              a row; `fleet` puts it into the index of that name, `ran_at` makes a report conditional.
                           Of a secret that left, a tombstone: `fleet` is `NAME#left`, and DynamoDB deletes it
    `fleet#NAME`           pauses of the fleet (`pause`) and of its providers (`pause:PROVIDER`)
    `sent#NAME#MINUTE`     message IDs and groups of one minute; DynamoDB deletes it after `gone_at`
    `breakers#NAME`        what the dispatcher `told`: the open breakers, and whether runs report; until `open_until`
    `store#NAME`           `refused`: secrets that Secrets Manager refused since it last took one, at `taken_at`
    the ARN itself         the secret's claims, which no part of a fleet's index reads or writes

A row and the claims of a secret are two items: the dispatcher's role can be kept from the claims, and a row of some 650
bytes costs less to write than the claims beside it would.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, Literal, TypeVar

from token_refresh.stored.times import LATEST_SECONDS, is_possible
from token_refresh_worker.core.announcement import Transition
from token_refresh_worker.fleet.core.breaker import STORE, Breaker, BreakerReason, StoreHealth
from token_refresh_worker.fleet.core.enrolment import Tombstone
from token_refresh_worker.fleet.core.fleet import LEASE, LastDispatch
from token_refresh_worker.fleet.core.row import (
    AHEAD,
    UNKNOWN_PROVIDER,
    Change,
    LastRequest,
    LastRun,
    Pause,
    Pauses,
    Row,
    State,
)
from token_refresh_worker.providers.schema import NAME
from token_refresh_worker.run.outcome import CopyState, CurrentTokens
from token_refresh_worker.stored.origin import matching

KEY: Final = "secret_arn"
PAUSE: Final = "pause"

Item = Mapping[str, Mapping[str, Any]]
Kind = Literal["row", "fleet", "sent", "breakers", "store"]
T = TypeVar("T")

_ROW_KEY: Final = re.compile(r"row#arn:[A-Za-z0-9/_+=.@:-]+")  # `GetSecretValue`, SecretId
_LANE: Final = re.compile(rf"[!-~]{{1,400}}|{STORE}")  # a provider, and perhaps a host
_MOST: Final = 10**9
"""No run sends so many requests, and none fails so often: a larger number is damage, and may be too long to write."""

_LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)

# It becomes a part of the queue's `MessageGroupId`: a character that SQS rejects there would stop a whole minute.
_provider: Final = partial(matching, NAME)


def key(kind: Kind, name: str) -> dict[str, dict[str, str]]:
    """Return the key of an item; the table above says what each kind holds."""
    return {KEY: {"S": f"{kind}#{name}"}}


def left(fleet: str) -> str:
    """Name the listing of a fleet's tombstones; no fleet can have this name."""
    return f"{fleet}#left"


def write_row(row: Row, fleet: str) -> dict[str, dict[str, Any]]:
    """Write a row as an item."""
    item: dict[str, dict[str, Any]] = {
        **key("row", row.secret_arn),
        "fleet": {"S": fleet},
        "added_at": {"N": seconds(row.added_at)},
        **report_values(row, prefix=""),
    }
    if row.pause is not None:
        item[PAUSE] = {"S": write_pause(row.pause)}
    return item


def report_values(row: Row, *, prefix: str) -> dict[str, dict[str, Any]]:
    """Return the attributes that a run writes."""
    values: dict[str, dict[str, Any]] = {"provider": {"S": row.provider}, "next_at": {"N": seconds(row.next_at)}}
    if row.seen is not None:
        values |= {"seen": {"S": _write_seen(row.seen)}, "ran_at": {"N": seconds(row.seen.at)}}
    if row.unsent:
        values["unsent"] = write_changes(row.unsent)
    return {f"{prefix}{name}": value for name, value in values.items()}


def write_changes(changes: Iterable[Change]) -> dict[str, list[str]]:
    """Write changes as a set, from which each can be taken without reading the others."""
    return {"SS": sorted(f"{seconds(c.found_at)} {seconds(c.since)} {c.transition.value}" for c in changes)}


def _read_changes(texts: Iterable[str]) -> frozenset[Change]:
    parts = (text.split(" ", 2) for text in texts)
    return frozenset(
        Change(found_at=moment(found_at), since=moment(since), transition=Transition(name))
        for found_at, since, name in parts
        if name in list(Transition)  # a later version may know more
    )


def is_row(item: Item) -> bool:
    """Whether the worker would take a message about the item's secret; a row with another key could never heal."""
    return _ROW_KEY.fullmatch(item[KEY]["S"]) is not None


def read_row(item: Item, now: datetime) -> Row:
    """Read a row from its item. A row is a hint: what can't be read is unknown, and the next run writes it again.

    Otherwise one bad item would stop the dispatcher, and with it every other secret. The same holds for a run that
    has yet to happen: it would be its provider's newest run forever, and its failure would never be over.
    """
    seen = _readable(item, "seen", "S", _read_seen)
    return Row(
        secret_arn=item[KEY]["S"].removeprefix("row#"),
        provider=_readable(item, "provider", "S", _provider) or UNKNOWN_PROVIDER,
        added_at=_readable(item, "added_at", "N", moment) or _LONG_AGO,
        next_at=_readable(item, "next_at", "N", moment) or _LONG_AGO,
        seen=seen if seen and is_possible(max(seen.at, (seen.sent or seen).at), latest=now + AHEAD) else None,
        pause=_readable(item, PAUSE, "S", read_pause),
        unsent=_readable(item, "unsent", "SS", _read_changes) or frozenset(),
    )


def read_tombstone(item: Item) -> Tombstone:
    """Read a tombstone; one that can't be read is an old one, which nobody is shown."""
    return Tombstone(
        secret_arn=item[KEY]["S"].removeprefix("row#"),
        provider=_readable(item, "provider", "S", _provider) or UNKNOWN_PROVIDER,
        left_at=_readable(item, "left_at", "N", moment) or _LONG_AGO,
        quietly=_readable(item, "quietly", "BOOL", bool) or False,
    )


def read_pauses(item: Item) -> Pauses:
    """Read the pauses of a fleet and of its providers."""
    found = {name: _readable(item, name, "S", read_pause) for name in item}
    return Pauses(
        fleet=found.get(PAUSE),
        providers={
            name.removeprefix(f"{PAUSE}:"): pause
            for name, pause in found.items()
            if name.startswith(f"{PAUSE}:") and pause is not None
        },
    )


def write_message_groups(messages: Mapping[str, str]) -> list[str]:
    """Write messages with their groups, by their IDs."""
    return sorted(f"{name} {group}" for name, group in messages.items())


def read_message_groups(item: Item) -> dict[str, str]:
    """Read the messages of one minute and their groups, by their IDs."""
    found = _readable(item, "ids", "SS", lambda texts: [text.partition(" ") for text in texts])
    return {name: group for name, _, group in found or ()}


def read_store(item: Item) -> StoreHealth:
    """Read which secrets Secrets Manager refused, and when it last took one."""
    refused = _readable(item, "refused", "SS", frozenset)
    return StoreHealth(refused=refused or frozenset(), taken_at=_readable(item, "taken_at", "N", moment))


def write_dispatch(breakers: Mapping[str, Breaker], unheard_since: datetime | None) -> str:
    """Write which breakers are open and why, and since when no run has reported, as JSON."""
    told = {name: [each.reason.value, each.allowed] for name, each in breakers.items()}
    return json.dumps({"breakers": told, "unheard": unheard_since and seconds(unheard_since)})


def read_dispatch(item: Item, now: datetime) -> LastDispatch:
    """Read what the last dispatcher reported; no breaker is open where it has long been silent."""
    until = _readable(item, "open_until", "N", moment)
    if until is None:
        return LastDispatch()
    # The limit is for damage, as with a pause.
    lasts = now < until and is_possible(until, latest=now + AHEAD)
    told = _readable(item, "told", "S", _read_told) if lasts else None
    return replace(told or LastDispatch(), at=until - LEASE)


def _read_told(text: str) -> LastDispatch:
    found = json.loads(text)
    breakers = {
        matching(_LANE, name): Breaker(reason=BreakerReason(reason), allowed=int(allowed))
        for name, (reason, allowed) in found["breakers"].items()
        if reason in list(BreakerReason)  # a later version may know more
    }
    return LastDispatch(breakers=breakers, unheard_since=found["unheard"] and moment(found["unheard"]))


def _readable(item: Item, name: str, kind: str, read: Callable[[Any], T]) -> T | None:
    """Read an attribute; None if it is missing, or something else than this program writes."""
    # What json, float and datetime raise for odd input; nothing of the value is kept or logged.
    try:
        return read(item[name][kind])
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError):
        return None


def write_pause(pause: Pause) -> str:
    """Write a pause as JSON."""
    return json.dumps({"at": seconds(pause.at), "until": seconds(pause.until), "by": pause.by, "why": pause.why})


def read_pause(text: str) -> Pause:
    """Read a pause from JSON."""
    found = json.loads(text)
    at, until = moment(found["at"]), moment(found["until"])
    return Pause(at=at, until=until, by=str(found["by"]), why=str(found["why"]))


def seconds(when: datetime) -> str:
    """Write a time as Unix seconds, exact to the microsecond."""
    return f"{when.timestamp():.6f}"  # text: the client takes no float as a number


def moment(text: str) -> datetime:
    """Read a time; one that is out of range is a `ValueError`."""
    number = float(text)
    # Twice what a token document may say: near the years 1 and 9999, adding a few days overflows.
    if not 0 <= number <= 2 * LATEST_SECONDS:
        raise ValueError
    return datetime.fromtimestamp(number, UTC)


_FLAGS: Final = ("rejected", "ending")
_TOKENS: Final = frozenset(field.name for field in fields(CurrentTokens))
_SEEN: Final = frozenset(field.name for field in fields(LastRun)) - {"tokens", "sent"}
_TEXTS: Final = ("outcome", "error_type", "version_id", "host", "mended", "copy_error")
_TIMES: Final = frozenset(name for name in _TOKENS | _SEEN if name.endswith("at")) | {"since"}


def _write_seen(seen: LastRun) -> str:
    known = {name: getattr(seen, name) for name in _SEEN} | {name: getattr(seen.tokens, name) for name in _TOKENS}
    written = {name: seconds(value) if name in _TIMES else value for name, value in known.items() if value is not None}
    if seen.sent is not None:
        written["sent"] = [seconds(seen.sent.at), seen.sent.host, seen.sent.error_type, seen.sent.failures]
    return json.dumps(written, sort_keys=True)


def _read_seen(text: str) -> LastRun:
    found = json.loads(text)
    known: dict[str, Any] = {name: found.get(name) for name in _SEEN | _TOKENS}
    known |= {name: moment(known[name]) for name in _TIMES if known[name] is not None}
    known |= {name: known[name] is True for name in _FLAGS}
    if None in (known["at"], known["since"], known["state"]):
        raise ValueError
    # What a later version writes, and this one does not know after a rollback, costs no more than itself.
    state = next((state for state in State if state == known["state"]), State.HEALTHY)
    copy = next((copy for copy in CopyState if copy == known["copy"]), None)
    _check((known["requests"], known["failures"]), tuple(known[name] for name in _TEXTS))
    tokens = CurrentTokens(**{name: known.pop(name) for name in _TOKENS})
    sent = _read_sent(*found["sent"][:4]) if found.get("sent") else None
    return LastRun(**known | {"state": state, "copy": copy, "tokens": tokens, "sent": sent})


def _read_sent(at: str, host: str | None, error_type: str | None, failures: int) -> LastRequest:
    _check((failures,), (host, error_type))
    return LastRequest(at=moment(at), host=host, error_type=error_type, failures=failures)


def _check(numbers: tuple[Any, ...], texts: tuple[Any, ...]) -> None:
    # `type`, not `isinstance`: JSON's true is an `int` of Python.
    if any(type(n) is not int or not 0 <= n <= _MOST for n in numbers):
        raise ValueError
    if not all(text is None or isinstance(text, str) for text in texts):
        raise ValueError
