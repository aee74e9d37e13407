"""Rows and pauses as DynamoDB items.

    key `secret_arn`       holds
    `row#ARN`              a row; `fleet` puts it into the index of that name, `ran_at` makes a report conditional
    `fleet#NAME`           pauses of the fleet (`pause`) and of its providers (`pause:PROVIDER`)
    `sent#NAME#MINUTE`     message IDs of one minute; DynamoDB deletes it after `gone_at`
    the ARN itself         the secret's claims, which no part of a fleet's index reads or writes

A row and the claims of a secret are two items: the dispatcher's role can be kept from the claims, and a row of some 400
bytes costs less to write than the claims beside it would.
"""

import json
from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any, Final

from token_refresh.fleet.core.row import Pause, Pauses, Row, Seen, State

KEY: Final = "secret_arn"
PAUSE: Final = "pause"

Item = Mapping[str, Mapping[str, Any]]


def row_key(secret_arn: str) -> dict[str, dict[str, str]]:
    """Give the key of a row."""
    return {KEY: {"S": f"row#{secret_arn}"}}


def fleet_key(fleet: str) -> dict[str, dict[str, str]]:
    """Give the key of a fleet's pauses."""
    return {KEY: {"S": f"fleet#{fleet}"}}


def sent_key(fleet: str, minute: int) -> dict[str, dict[str, str]]:
    """Give the key of one minute's messages."""
    return {KEY: {"S": f"sent#{fleet}#{minute}"}}


def write_row(row: Row, fleet: str) -> dict[str, dict[str, Any]]:
    """Write a row as an item."""
    item: dict[str, dict[str, Any]] = {
        **row_key(row.secret_arn),
        "fleet": {"S": fleet},
        "added_at": {"N": seconds(row.added_at)},
        **report_values(row, prefix=""),
    }
    if row.pause is not None:
        item[PAUSE] = {"S": write_pause(row.pause)}
    if row.announced is not None:
        item["announced"] = {"S": row.announced}
    return item


def report_values(row: Row, *, prefix: str) -> dict[str, dict[str, str]]:
    """Give the attributes that a run writes."""
    values = {"provider": {"S": row.provider}, "next_at": {"N": seconds(row.next_at)}}
    if row.seen is not None:
        values |= {"seen": {"S": _write_seen(row.seen)}, "ran_at": {"N": seconds(row.seen.at)}}
    return {f"{prefix}{name}": value for name, value in values.items()}


def read_row(item: Item) -> Row:
    """Read a row from its item."""
    return Row(
        secret_arn=item[KEY]["S"].removeprefix("row#"),
        provider=item["provider"]["S"],
        added_at=moment(item["added_at"]["N"]),
        next_at=moment(item["next_at"]["N"]),
        seen=_read_seen(item["seen"]["S"]) if "seen" in item else None,
        pause=read_pause(item[PAUSE]["S"]) if PAUSE in item else None,
        announced=item["announced"]["S"] if "announced" in item else None,
    )


def read_pauses(item: Item) -> Pauses:
    """Read the pauses of a fleet and of its providers."""
    return Pauses(
        fleet=read_pause(item[PAUSE]["S"]) if PAUSE in item else None,
        providers={
            name.removeprefix(f"{PAUSE}:"): read_pause(value["S"])
            for name, value in item.items()
            if name.startswith(f"{PAUSE}:")
        },
    )


def write_pause(pause: Pause) -> str:
    """Write a pause as JSON."""
    return json.dumps({"until": seconds(pause.until), "by": pause.by, "why": pause.why})


def read_pause(text: str) -> Pause:
    """Read a pause from JSON."""
    found = json.loads(text)
    return Pause(until=moment(found["until"]), by=found["by"], why=found["why"])


def seconds(when: datetime) -> str:
    """Write a time as Unix seconds, exact to the microsecond."""
    return f"{when.timestamp():.6f}"


def moment(text: str) -> datetime:
    """Read a time."""
    return datetime.fromtimestamp(float(text), UTC)


_TIMES: Final = frozenset(field.name for field in fields(Seen) if field.name.endswith("at")) | {"since"}


def _write_seen(seen: Seen) -> str:
    known = {field.name: getattr(seen, field.name) for field in fields(Seen)}
    return json.dumps(
        {name: seconds(value) if name in _TIMES else value for name, value in known.items() if value is not None}
    )


def _read_seen(text: str) -> Seen:
    found = json.loads(text)
    known: dict[str, Any] = {field.name: found.get(field.name) for field in fields(Seen)}
    known |= {name: moment(known[name]) for name in _TIMES if known[name] is not None}
    return Seen(**known | {"state": State(known["state"])})
