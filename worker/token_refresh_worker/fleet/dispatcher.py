"""The dispatcher: once a minute, hand out the secrets that are due. It reads no secret."""

import os
from datetime import datetime, timedelta
from typing import Final

from token_refresh_worker.bootstrap import SystemClock
from token_refresh_worker.fleet.aws.index import TableIndex
from token_refresh_worker.fleet.core.dispatch import decide
from token_refresh_worker.fleet.core.fleet import Decision, Fleet, Limits, Send
from token_refresh_worker.fleet.core.gauges import measure, measure_providers
from token_refresh_worker.fleet.core.row import Row, is_due
from token_refresh_worker.fleet.settings import provider_limits, read_fleet_settings
from token_refresh_worker.run.outcome import metric_fields
from token_refresh_worker.run.ports import Clock, Log

ALMOST_DONE: Final = 45
"""From this second on, messages are remembered before they are sent."""
TURN: Final = timedelta(seconds=58)
"""How long a dispatcher has the queue to itself: less than a minute, so that a late start delays the next ones less."""


def dispatch_minute(log: Log, *, waits: bool) -> dict[str, int]:
    """Hand out what is due in this minute, log the gauges, and return the counts."""
    settings = read_fleet_settings(os.environ)
    index, clock = settings.index(), SystemClock()
    now = wait_for_turn(index, clock) if waits else index.read_clock()
    fleet = read_fleet(index, settings.limits, now)
    decision = decide(fleet, now)
    gauges = measure(fleet, decision, now, tombstones=index.tombstones())
    log.info("fleet_dispatch", **metric_fields(gauges, {"Fleet": settings.name}))
    for provider, counts in sorted(measure_providers(fleet, decision, now).items()):
        log.info("fleet_provider", **metric_fields(counts, {"Fleet": settings.name, "Provider": provider}))
    for lane, breaker in decision.breakers.items():
        log.warning("breaker_open", where=lane, reason=breaker.reason.value, allowed=breaker.allowed)
    # Last, since it takes most of a minute: the gauges are there even if the queue is out of reach.
    sent = hand_out(decision, index, settings.sender(), clock, now)
    return {"size": len(fleet.rows), "handed_out": sent, "waiting": decision.waiting}


def wait_for_turn(index: TableIndex, clock: Clock) -> datetime:
    """Let the dispatcher before this one end, and return the time.

    Scheduler may start it at any second of its minute, and twice. Two at once would choose the same secrets, since
    neither knows what the other is about to send, and a provider's rate would be used up twice or not at all.
    """
    now, last = index.read_clock(), index.last_dispatch().at
    if last is None or not last <= now < last + TURN:
        return now
    clock.sleep((last + TURN - now).total_seconds())
    return index.read_clock()


def read_fleet(index: TableIndex, limits: Limits, now: datetime) -> Fleet:
    """Read all that the decision depends on."""
    rows = rows_of(index, now)
    return Fleet(
        rows=rows,
        pauses=index.pauses(),
        handed_out=index.handed_out(now),
        store_refuses=index.store().refuses(now),
        providers=provider_limits(row.provider for row in rows),
        limits=limits,
    )


def rows_of(index: TableIndex, now: datetime) -> list[Row]:
    """Read all rows, and those that look due once more, consistently.

    The index may be minutes behind. A row that it shows as due may have been reported on; one that it shows as not due
    has not become due earlier.
    """
    rows = list(index.rows())
    due = index.read_again([row for row in rows if is_due(row, now)])
    return [*(row for row in rows if not is_due(row, now)), *due]


def hand_out(decision: Decision, index: TableIndex, send: Send, clock: Clock, now: datetime) -> int:
    """Send the messages of each second in that second, and remember them.

    A dispatcher that dies may remember nothing: the next one sends the same messages with the same IDs, and the queue
    drops them. If it dies in its last seconds, what it did not send waits for the end of the lease.
    """
    try:
        # First: what earlier minutes sent to a provider that hangs is still in the queue.
        index.tell_breakers(decision.breakers, now, unheard_since=decision.unheard_since)
    finally:
        # Even if that failed: it protects one provider's secrets, and all others need their runs.
        sent = _send_all(decision, index, send, clock, now)
    return sent


def _send_all(decision: Decision, index: TableIndex, send: Send, clock: Clock, now: datetime) -> int:
    began = clock.monotonic()
    sent: dict[str, str] = {}
    remembered: dict[str, str] = {}
    try:
        for second, messages in enumerate(decision.seconds):
            if second == ALMOST_DONE:
                # The next dispatcher may begin before the last of these is sent.
                rest = [message for later in decision.seconds[second:] for message in later]
                remembered = sent | {message.message_id: message.group for message in rest}
                index.remember(remembered, now)
            # The queue can delay no message of a FIFO group, so the dispatcher waits.
            clock.sleep(max(0.0, began + second - clock.monotonic()))
            taken = frozenset(send(messages))
            sent |= {message.message_id: message.group for message in messages if message.message_id in taken}
    finally:
        if sent.keys() - remembered.keys():
            index.remember(sent, now)
    return len(sent)
