"""Secrets Manager refuses every write, and the table keeps what arrives; or it is away for good."""

import base64
import json
import os
from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest

from races.kills import REFRESH, When, boundaries
from testbed.aws.faults import Action, Call
from testbed.fakes import FakeClock, FakeLog
from testbed.testbed import CLAIM_TABLE, GRACE, SINGLE_USE, TOKEN_REQUEST, TOKENS, Testbed
from token_refresh.errors import TokenRefreshError
from token_refresh_worker.bootstrap import build_run
from token_refresh_worker.run.events import Trigger
from token_refresh_worker.run.settings import read_settings

WRITES = ("PutSecretValue", "UpdateSecretVersionStage")


class Ground:
    """The real adapters over HTTP; a run's stopwatch moves only when it sleeps, so that minutes take no time."""

    def __init__(self, testbed: Testbed) -> None:
        self.testbed, self.log = testbed, FakeLog()

    def run(self) -> str:
        """Return how a scheduled run ends: its outcome, or the name of its error."""
        settings = read_settings(self.testbed.environment)
        run = build_run(settings, Trigger(name="schedule"), clock=FakeClock(), log=self.log, time_left_seconds=90.0)
        try:
            return str(run.execute().name)
        except TokenRefreshError as error:
            return type(error).__name__

    @property
    def table(self) -> dict[str, Any]:
        """All that a reader of the table sees."""
        assert self.testbed.table is not None
        return self.testbed.table.tables[CLAIM_TABLE]


def refuse_writes(call: Call) -> str | None:
    return "the role lacks it" if call.operation in WRITES and TOKENS in (call.secret_id or "") else None


@pytest.fixture
def ground() -> Iterator[Ground]:
    with (
        Testbed(SINGLE_USE, table=True, keeps=True) as testbed,
        mock.patch.dict(os.environ, testbed.environment, clear=True),
    ):
        yield Ground(testbed)


def test_a_reader_of_the_table_learns_no_token(ground: Ground) -> None:
    """While tokens are kept, its items hold no secret value, in no encoding, and the log has none either."""
    ground.testbed.store.authorize = refuse_writes
    assert ["TokensKept"] * 2 == [ground.run(), ground.run()]

    shown = json.dumps(ground.table)
    (item,) = ground.table.values()
    pieces = [base64.b64decode(piece["B"]) for piece in item["kept_tokens"]["L"]]
    secrets = ground.testbed.endpoint.grant.secrets
    assert pieces
    assert secrets
    for secret in secrets:
        encoded = base64.b64encode(secret.encode()).decode()
        assert not {secret, encoded[:-4], secret.encode().hex()} & {*shown.split('"')}
        assert secret not in shown
        assert all(secret.encode() not in piece for piece in pieces)
        assert secret not in repr(ground.log)

    ground.testbed.store.authorize = None
    assert ["recovered", "fresh"] == [ground.run(), ground.run()]
    assert (1, True, True) == (ground.testbed.requests_sent, ground.testbed.alive, ground.testbed.newest_stored)
    assert not any("kept_tokens" in item for item in ground.table.values())


CALLS = [b for b in boundaries(REFRESH, SINGLE_USE) if b.when is When.BEFORE and b.call != TOKEN_REQUEST]


@pytest.mark.parametrize("action", ["drop_after", "unavailable"])
def test_a_call_that_fails_once_is_repeated(action: Action) -> None:
    """Whichever call to Secrets Manager is lost or refused, the run refreshes with one request."""
    for point in CALLS:
        with Testbed(SINGLE_USE) as testbed, mock.patch.dict(os.environ, testbed.environment, clear=True):
            testbed.store.fault(action, nth=point.nth_of_service)

            assert ["refreshed", "fresh"] == [Ground(testbed).run(), Ground(testbed).run()], point
            assert (1, True) == (testbed.requests_sent, testbed.alive), point


def test_store_stays_away() -> None:
    """Secrets Manager going away for good, at whichever call, is a named error; once it is back the grant is there."""
    for point in CALLS:
        with Testbed(GRACE) as testbed, mock.patch.dict(os.environ, testbed.environment, clear=True):
            testbed.store.fault("unavailable", nth=point.nth_of_service, times=None)
            received = point.call == "PutSecretValue staged tokens"
            assert ("TokensNotStored" if received else "SecretStoreUnavailable") == Ground(testbed).run(), point
            testbed.store.faults.clear()

            testbed.pass_claim()
            ended = [Ground(testbed).run(), Ground(testbed).run()]
            assert ("fresh", True) == (ended[-1], testbed.alive), point
