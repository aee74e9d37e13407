"""`examples/claiming_handler.py` on the parts of the contest, which plays what it does not survive."""

import contextlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from demos.account import TOKEN_SECRET_ID, Account
from demos.scenario import kill_when_it_stores
from testbed.aws_lambda.function import SCHEDULED_EVENT, Function, Invoked
from testbed.ports import free_port

ROOT = Path(__file__).parents[2]
HANDLER = "examples.claiming_handler.handler"
A_DAY = 86_400
pytestmark = pytest.mark.no_cover


@pytest.fixture(scope="module")
def accounts() -> Iterator[Callable[..., Account]]:
    """Start an account for each kind of refresh token, and keep it: each test begins anew."""
    started: dict[tuple[int, bool], Account] = {}
    with contextlib.ExitStack() as opened:

        def account(*, grace_seconds: int = 0, rotates: bool = True) -> Account:
            kind = (grace_seconds, rotates)
            if kind not in started:
                made = Account(HANDLER, grace_seconds=grace_seconds, rotates=rotates)
                started[kind] = opened.enter_context(made)
            started[kind].begin_anew()
            return started[kind]

        yield account


@pytest.fixture
def single_use(accounts: Callable[..., Account]) -> Account:
    """An account whose refresh tokens work once, with one that is due."""
    account = accounts()
    account.let_hours_pass(17)
    return account


@pytest.fixture(scope="module")
def function(accounts: Callable[..., Account]) -> Iterator[Function]:
    """Its warm function, as Lambda keeps one: a cold start takes longer than most tests."""
    with accounts().function() as function:
        yield function


def run(function: Function, event: object = SCHEDULED_EVENT) -> str:
    """Return the outcome of a run, or why it failed."""
    ran: Invoked = function.invoke(event)
    return str(ran.error_message if ran.error_type else ran.payload["outcome"])


def test_it_is_one_page() -> None:
    """It has 150 lines at most, and its docstring says what it does not survive, as the contest shows it."""
    text = (ROOT / "examples" / "claiming_handler.py").read_text()

    assert 150 >= len(text.splitlines())
    said = text.split('"""')[1]
    for loss in ("dies with its process or a gateway", "no commands, no alarms, no copy for readers"):
        assert loss in said


def test_one_of_many_runs_sends_the_token(single_use: Account) -> None:
    """Of four runs at once one redeems; the others send nothing, and no run prints a token."""
    before = single_use.refresh_requests()
    with contextlib.ExitStack() as opened:
        functions = [opened.enter_context(single_use.function()).wait_until_ready() for _ in range(4)]
        ran = [pending.result() for pending in [function.begin(SCHEDULED_EVENT) for function in functions]]

    assert 1 == single_use.refresh_requests() - before
    outcomes = [run.payload["outcome"] for run in ran if run.error_type is None]
    assert 1 == outcomes.count("refreshed")
    assert {"refreshed", "yielded", "fresh", "recovered"} >= set(outcomes)
    assert single_use.grant_lives()
    single_use.versions()
    said = str(ran)
    assert [] == [secret for secret in single_use.secrets if secret in said]


def test_a_run_killed_before_the_swap_loses_nothing(single_use: Account, function: Function) -> None:
    """The next run makes the staged tokens current, with what was edited meanwhile, and sends nothing."""
    with single_use.function() as killed:
        held = single_use.store.fault("hold_before", "UpdateSecretVersionStage")
        killed.begin(SCHEDULED_EVENT)
        held.wait()
        killed.kill()
        single_use.store.faults.clear()
    single_use.store_document(single_use.current_document() | {"team": "sales"})
    before = single_use.refresh_requests()

    assert ["recovered", "fresh"] == [run(function), run(function)]
    assert (before, "sales", True) == (
        single_use.refresh_requests(),
        single_use.current_document()["team"],
        single_use.grant_lives(),
    )


def test_an_older_copy_is_followed_to_the_newest_tokens(single_use: Account, function: Function) -> None:
    """A token set of two refreshes ago leads to the newest one, claim by claim."""
    first = single_use.current_document()
    for _ in range(2):
        assert "refreshed" == run(function)
        single_use.let_hours_pass(17)
    single_use.store_document(first)
    before = single_use.refresh_requests()

    assert "recovered" == run(function)
    assert (before, True) == (single_use.refresh_requests(), single_use.grant_lives())


def test_a_token_that_may_be_used_waits(single_use: Account, function: Function) -> None:
    """After a lost response runs yield while the claim may be open, then fail, and send it again near expiry alone."""
    with single_use.function() as killed:
        kill_when_it_stores(single_use, killed, "hold_before")
    before = single_use.refresh_requests()
    assert ["yielded", "yielded"] == [run(function), run(function, {"force": True})]
    single_use.let_hours_pass(1)
    for event in (SCHEDULED_EVENT, {"force": True}):
        assert "may be used" in run(function, event)
    assert before == single_use.refresh_requests()
    single_use.let_hours_pass(5)  # of the last two hours

    assert "400 Bad Request" in run(function)
    assert 1 == single_use.refresh_requests() - before


def test_a_response_that_it_can_not_read_is_stored(single_use: Account, function: Function) -> None:
    """Its tokens are in the secret, and the used token is not sent again, near expiry neither, until a person acts."""
    single_use.provider.fail_next("wrap")
    assert "can't be read" in run(function)
    before = single_use.refresh_requests()
    for hours in (1, 5):
        single_use.let_hours_pass(hours)
        assert "may be used" in run(function, {"force": True})
    assert before == single_use.refresh_requests()

    assert single_use.take_unread_tokens()
    single_use.let_hours_pass(1)
    assert "refreshed" == run(function)
    assert single_use.grant_lives()


def test_a_full_secret_keeps_its_token(single_use: Account, function: Function) -> None:
    """Where a claim or the new tokens would find no room, it sends nothing; a day later it goes on."""
    document = single_use.current_document()
    for _ in range(97):
        single_use.store_document(document)
    before = single_use.refresh_requests()
    assert "no room for a claim" in run(function, {"force": True})
    assert before == single_use.refresh_requests()

    single_use.let_hours_pass(25)
    assert "refreshed" == run(function)


def test_an_older_copy_without_its_claim_stops_runs(single_use: Account, function: Function) -> None:
    """Nothing is sent, and the error names the version with the newest tokens; a new authorization goes on."""
    older = single_use.current_document()
    assert "refreshed" == run(function)
    newest = next(i for i, version in single_use.versions().items() if "AWSCURRENT" in version.labels)
    single_use.let_hours_pass(17)
    single_use.store_document(older | {"accessToken": "as if its claims were gone"})
    before = single_use.refresh_requests()
    assert f"make version {newest} current" in run(function)
    assert before == single_use.refresh_requests()

    single_use.authorize()
    assert "refreshed" == run(function, {"force": True})
    assert single_use.grant_lives()


def test_within_the_grace_the_request_is_repeated(accounts: Callable[..., Account]) -> None:
    """Where a used token works for a day, a lost response costs an hour."""
    account = accounts(grace_seconds=A_DAY)
    account.let_hours_pass(17)
    account.provider.fail_next("after")
    with account.function() as function:
        assert "503" in run(function)
        account.let_hours_pass(1)

        assert "refreshed" == run(function)
    assert account.grant_lives()


def test_a_token_that_never_changes(accounts: Callable[..., Account]) -> None:
    """A response without a refresh token keeps the old one, refresh for refresh."""
    account = accounts(grace_seconds=30 * A_DAY, rotates=False)
    refresh_token = account.current_document()["refreshToken"]
    with account.function() as function:
        for _ in range(3):
            account.let_hours_pass(17)
            assert "refreshed" == run(function)
    assert (refresh_token, True) == (account.current_document()["refreshToken"], account.grant_lives())


def test_what_redeemed_nothing_is_tried_again(single_use: Account, function: Function) -> None:
    """Without a connection nothing was sent: the run within the hour yields, and the next one refreshes."""
    nowhere = {"TOKEN_ENDPOINT": f"http://127.0.0.1:{free_port()}/token"}
    with Function(single_use.environment | nowhere, handler=HANDLER) as cut_off:
        assert "refused" in run(cut_off)
    assert "yielded" == run(function)
    single_use.let_hours_pass(1)
    assert "refreshed" == run(function)
    assert single_use.grant_lives()


def test_what_is_fresh_costs_one_read(single_use: Account, function: Function) -> None:
    """A run that finds nothing due reads the current version, and does no more; a forced one refreshes."""
    assert "refreshed" == run(function)
    calls = len(single_use.store.calls)
    assert "fresh" == run(function)
    assert ["GetSecretValue"] == [logged.call.operation for logged in single_use.store.calls[calls:]]
    assert "refreshed" == run(function, {"force": True})
    assert single_use.grant_lives()


def test_an_empty_secret(single_use: Account, function: Function) -> None:
    """Without a first token set it says what to do."""
    single_use.store.secrets.drop(TOKEN_SECRET_ID, next(iter(single_use.versions())))

    assert re.search("no value: authorize first", run(function))
