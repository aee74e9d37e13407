"""`pause` and `resume`: no deployment, every command shows it, and it ends by itself."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cli import states
from cli.scene import SECRET_ID, Cli, Ended, Tokens, claim, meanwhile
from cli.states import Stage
from cli.worlds import IN_FLEET, Fleet
from fleet.doubles import MemoryIndex
from testbed.builders import DAY, HOUR, NOW
from testbed.dynamodb.server import DynamoDbServer
from testbed.provider.token_endpoint import TokenEndpoint
from testbed.secrets_manager.server import SecretsManagerServer
from token_refresh_admin.changes import change, pause
from token_refresh_infra.single.timing import AlarmTiming
from token_refresh_worker.adapters.version_claims import VersionClaims
from token_refresh_worker.bootstrap import SystemClock
from token_refresh_worker.core.claims import Claim
from token_refresh_worker.core.pauses import pause_claim
from token_refresh_worker.fleet.core.row import Pause, Pauses, Row, State, state_of
from token_refresh_worker.run.failures import utc
from token_refresh_worker.stored.origin import in_table

TABLE = "claims"


@pytest.fixture
def table(environment: dict[str, str]) -> Iterator[DynamoDbServer]:
    with DynamoDbServer() as server:
        server.create_table(TABLE, key="secret_arn")
        environment |= {"AWS_ENDPOINT_URL_DYNAMODB": server.url, "CLAIM_TABLE": TABLE}
        yield server


@pytest.fixture(params=["in versions", "in a table"])
def anywhere(request: pytest.FixtureRequest) -> None:
    """Claims in the secret, and in a table."""
    if request.param == "in a table":
        request.getfixturevalue("table")


@pytest.fixture
def member(
    tokens: Tokens,
    store: SecretsManagerServer,
    fleet: Fleet,
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> MemoryIndex:
    """A secret of a fleet, and that fleet's index."""
    tokens.store(expires_in=7 * HOUR, tokenRefresh=IN_FLEET, provider="upwork")
    fleet.variables["TOKEN_ENDPOINT"] = environment["TOKEN_ENDPOINT"]
    store.client().tag_resource(SecretId=SECRET_ID, Tags=[{"Key": "token-refresh:fleet", "Value": "prod"}])
    arn, index = store.client().describe_secret(SecretId=SECRET_ID)["ARN"], MemoryIndex()
    index.add(Row(secret_arn=arn, provider="upwork", added_at=NOW, next_at=NOW + 365 * DAY))
    monkeypatch.setattr("token_refresh_admin.cli.membership.find_index", lambda *_: index)
    return index


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch, store: SecretsManagerServer) -> None:
    """Each wait is a minute of the service's clock."""

    def sleep(_: object, seconds: float) -> None:
        assert seconds == change.WAIT_SECONDS
        store.clock_offset_seconds += 60

    monkeypatch.setattr(SystemClock, "sleep", sleep)


@pytest.mark.usefixtures("anywhere")
def test_there_and_back(cli: Cli, tokens: Tokens, endpoint: TokenEndpoint) -> None:
    """After `pause` nothing is sent, forced or not, and every command says so; after `resume` runs go on."""
    tokens.store(expires_in=7 * HOUR)

    paused = cli("pause", "--for", "2h", "--why", "their maintenance")
    refused = cli("refresh", "--force", "--yes")
    status, as_json = cli("status"), cli("status", "--json").json
    of_machines = cli("history", "--json", "--all").json
    resumed = cli("resume")

    assert (0, 0, 1) == (paused.code, refused.code, status.code)
    assert re.match(r"Paused until 20\S+ \S+ UTC: their maintenance ", paused.screen)
    assert f"To go on before that: token-refresh resume {SECRET_ID} --region eu-central-1" in paused.screen
    assert "yielded: an operator paused the refreshes" in refused.screen
    assert [] == endpoint.requests
    assert "an operator paused the refreshes until" in status.screen
    assert "the refresh is overdue" not in status.screen
    assert "their maintenance" == as_json["paused"]["why"]
    assert {"paused"} >= {version["fate"] for version in of_machines["versions"] if version["kind"] == "claim"}
    assert "Resumed: runs may refresh" in resumed.screen
    assert cli("status", "--json").json["paused"] is None
    assert "refreshed" == cli("refresh", "--json").json["outcome"]
    assert 1 == len(endpoint.requests)
    cli("pause", "--for", "1h")
    assert " ok last refresh: " in cli("doctor").screen


def test_the_alarm_that_a_pause_does_not_end(cli: Cli, tokens: Tokens) -> None:
    """A pause names the moment at which the deployment's alarm is raised: with seldom runs, before half is over."""
    variables = {"REFRESH_WINDOW_SECONDS": "1200", "RUN_PERIOD_SECONDS": "360"}
    deployed = AlarmTiming(window_seconds=1200, run_every_seconds=300, start_within_seconds=60)
    tokens.store(expires_in=HOUR)
    expires_at = datetime.fromtimestamp(tokens.current()["expiresAt"] // 1000, UTC)

    ended = cli("pause", "--for=55m", **variables)

    raised_at = expires_at - timedelta(seconds=deployed.overdue_below_seconds)
    assert 630 == deployed.overdue_below_seconds
    assert f"The alarm renewal-overdue is raised at {utc(raised_at)}" in ended.screen


def test_a_pause_that_costs_something(cli: Cli, tokens: Tokens) -> None:
    """A pause that outlasts half of the refresh window says when the alarm is raised, and when services fail."""
    tokens.store(expires_in=9 * HOUR)

    short, longer, longest = cli("pause", "--for=2h"), cli("pause", "--for=6h"), cli("pause", "--for=10h")

    assert "renewal-overdue" not in short.screen
    assert "The alarm renewal-overdue is raised at" in longer.screen
    assert "services fail" not in longer.screen
    assert "services fail from then on" in longest.screen
    assert "and the access token expires sooner" in cli("status").screen
    tokens.store(expires_in=-HOUR)
    late = cli("pause", "--for=2h")
    assert "The alarm renewal-overdue is not ended by a pause: the refresh was overdue at" in late.screen
    assert "The access token expired at" in late.screen


@pytest.mark.usefixtures("anywhere", "waits")
def test_a_run_that_is_under_way(cli: Cli, tokens: Tokens, store: SecretsManagerServer) -> None:
    """A pause waits for the end of an open claim: its run may have to keep tokens beside it."""
    claim(store, tokens.store(expires_in=DAY))

    ended = cli("pause", CLAIM_TABLE="")

    assert 0 == ended.code
    assert "A run is under way; its claim ends at" in ended.screen


@pytest.mark.parametrize("options", [("--for=8d",), ("--for=soon",), ("--why=" + "x" * 201,), ("--why=",)])
def test_a_wrong_option(cli: Cli, tokens: Tokens, options: tuple[str, ...]) -> None:
    """A pause has an end within a week, and a reason of 200 characters at most."""
    tokens.store(expiresAt=None)  # Nobody knows when the token expires: a pause has nothing to warn of.

    assert 64 == cli("pause", *options).code
    assert "is not paused" in cli("resume").screen
    assert 0 == cli("pause", "--for=7d", "--why=" + "x" * 200).code


def test_a_member_of_a_fleet(cli: Cli, member: MemoryIndex) -> None:
    """A member's pause is its claim's, so that no command gets past it; the fleet's row shows it and whose it is."""
    paused = cli("pause", "--for=1h", "--why=theirs")
    (row,) = member.rows()
    forced = cli("refresh", "--force", "--yes", "--json")

    assert (0, "yielded") == (paused.code, forced.json["outcome"]), paused.screen
    assert row.pause is not None
    assert ("theirs", timedelta(hours=1)) == (row.pause.why, row.pause.until - row.pause.at)
    assert State.PAUSED is state_of(row, Pauses(), row.pause.at)
    resumed = cli("resume")
    (row,) = member.rows()
    assert (0, None, member.read_clock()) == (resumed.code, row.pause, row.next_at)
    assert "is not paused" in cli("resume").screen
    assert "yielded" != cli("refresh", "--force", "--yes", "--json").json["outcome"]
    # A pause of the row alone, from an earlier release, ends by the same command.
    member.pause(Pause(at=NOW, until=NOW + DAY, by="me", why="x"), secret_arn=row.secret_arn)
    assert "Resumed" in cli("resume").screen
    assert [None] == [row.pause for row in member.rows()]


def test_the_whole_fleet_goes_on(cli: Cli, member: MemoryIndex, fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    """`fleet resume --all` ends single secrets' pauses, in claims as in rows; where it can't, it doesn't say so."""
    monkeypatch.setattr("token_refresh_admin.cli.fleet.pause.find_index", lambda *_: member)
    cli("pause")
    tags, fleet.aws.function_tags = fleet.aws.function_tags, {}
    failed = cli("fleet", "resume", "--fleet=prod", "--all")
    assert [True] == [row.pause is not None for row in member.rows()]
    fleet.aws.function_tags = tags

    ended = [cli("fleet", "resume", "--fleet=prod", "--all") for _ in range(2)]

    assert (2, "") == (failed.code, failed.out)
    assert "no stack made table prod together with a worker" in failed.err
    assert "--all" not in failed.err.partition("token-refresh resume")[2], "which has no such option"
    assert [(0, "resumed\n"), (0, "nothing to resume: it was not paused\n")] == [(e.code, e.out) for e in ended]
    assert [None] == [row.pause for row in member.rows()]
    assert "yielded" != cli("refresh", "--force", "--yes", "--json").json["outcome"]


@pytest.mark.parametrize("made_by_hand", ["table", "worker"])
def test_a_fleet_that_no_stack_made(cli: Cli, member: MemoryIndex, fleet: Fleet, made_by_hand: str) -> None:
    """Table and worker of a fleet's name prove nothing unless one stack made both: nothing is paused."""
    if made_by_hand == "table":
        fleet.tables.tags["prod"] = {}
    else:
        fleet.aws.function_tags = {}

    ended = cli("pause")

    assert (2, [None]) == (ended.code, [row.pause for row in member.rows()])
    assert "no stack made table prod together with a worker" in ended.screen


@pytest.mark.usefixtures("table")
def test_claims_that_are_elsewhere(cli: Cli, tokens: Tokens) -> None:
    """With the settings of another claim store nothing is paused, and the command that moves the claims is printed."""
    tokens.store(tokenRefresh={"host": "127.0.0.1", "grace_seconds": 0, "store": "versions"})

    ended = cli("pause")

    assert 2 == ended.code
    assert f"token-refresh claims move {SECRET_ID}" in ended.screen


def test_kept_tokens(cli: Cli, tokens: Tokens, table: DynamoDbServer) -> None:
    """A table that keeps tokens is not paused: the claim that replaces theirs would drop them."""
    tokens.store(expires_in=DAY)
    cli("refresh", "--force")
    (item,) = table.tables[TABLE].values()
    item["kept_tokens"] = {"M": {}}

    ended = cli("pause")

    assert 2 == ended.code
    assert f"Store them first: token-refresh refresh {SECRET_ID} --region eu-central-1" in ended.screen
    assert "kept_tokens" in item


@pytest.mark.usefixtures("waits")
def test_claims_that_nobody_can_read(cli: Cli, tokens: Tokens) -> None:
    """While reads don't show the newest claim, nothing is paused, and the command gives up in the end."""
    named = {"host": "127.0.0.1", "grace_seconds": 0, "store": "versions", "claim": "c" * 36, "number": 9}
    tokens.store(expires_in=DAY, tokenRefresh=named)

    ended = cli("pause")

    assert 1 == ended.code
    assert f"nothing was paused. Try again: token-refresh pause {SECRET_ID} --region eu-central-1" in ended.screen


@pytest.mark.usefixtures("waits")
def test_others_who_keep_changing_a_paused_secret(cli: Cli, tokens: Tokens, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pause that can't be ended goes on, and the command says so."""
    tokens.store(expires_in=DAY)
    cli("pause", "--for=7d")
    with monkeypatch.context() as patched:
        patched.setattr(VersionClaims, "append", lambda *_, **__: False)
        ended = cli("resume")

    assert 1 == ended.code
    assert f"the pause goes on. Try again: token-refresh resume {SECRET_ID} --region eu-central-1" in ended.screen
    assert cli("status", "--json").json["paused"] is not None


def test_a_request_that_may_be_repeated(
    cli: Cli, tokens: Tokens, store: SecretsManagerServer, endpoint: TokenEndpoint
) -> None:
    """A pause that outlasts the provider's grace after a lost response is refused: a run repeats the request first.

    One that ends so late that no run comes before the grace ends is refused, too.
    """
    claim(store, tokens.store(expires_in=7 * HOUR))
    store.clock_offset_seconds += 121

    refused, no_run_before, short = (cli("pause", f"--for={minutes}m") for minutes in (24 * 60, 24 * 60 - 10, 60))
    cli("resume")
    cli("refresh", "--force", "--yes")
    after = cli("pause", "--for=24h")

    assert (2, 2, 0, 0) == (refused.code, no_run_before.code, short.code, after.code), after.screen
    times = re.search(
        rf"token request for secret {SECRET_ID}, and the provider lets a run repeat it until (20\S+ \S+) UTC: a pause "
        r"until (20\S+ \S+) UTC could lose the grant",
        refused.screen,
    )
    assert times is not None
    assert times[1] < times[2]
    assert f"Let a run repeat it first: token-refresh refresh {SECRET_ID} --region" in refused.screen
    assert 1 == len(endpoint.requests)


def test_a_grant_that_ends_in_the_pause(cli: Cli, tokens: Tokens) -> None:
    """A pause during which the grant would end is refused; a shorter one is not, nor one of a grant that has ended."""
    ends_at = datetime.now(UTC) + 5 * HOUR
    tokens.store(tokenRefresh=ends(ends_at))
    refused, short = cli("pause", "--for=6h"), cli("pause", "--for=4h")
    tokens.store(tokenRefresh=ends(ends_at - DAY))
    late = cli("pause", "--for=6h")

    assert (2, 0, 0) == (refused.code, short.code, late.code)
    assert f"the grant of secret {SECRET_ID} ends at {utc(ends_at)}: if the pause lasts until " in refused.screen
    assert "Choose a shorter --for" in refused.screen


@pytest.mark.parametrize(("days", "code"), [(2.5, 2), (8, 0)])
def test_a_grant_that_is_its_access_token(cli: Cli, tokens: Tokens, days: float, code: int) -> None:
    """Facebook's grant ends with its access token, so that no pause outlasts that."""
    tokens.store(expires_in=days * DAY, refreshToken=None)

    paused = cli("pause", "--for=7d", PROVIDER="facebook")

    assert (code, code == 2) == (paused.code, "no run could refresh before that" in paused.screen)


def ends(at: datetime) -> dict[str, object]:
    return {"host": "127.0.0.1", "grace_seconds": 0, "store": "versions", "grant_ends_at": f"{at:%Y-%m-%dT%H:%M:%SZ}"}


def test_a_grant_that_nobody_uses(stage: Stage) -> None:
    """Okta's, which ends unused after a week, does not survive a week's pause; a rejected one has nothing to lose."""
    stage.tokens.store()

    refused, short = (stage.cli("pause", f"--for={days}d", PROVIDER="okta") for days in (7, 6))

    assert (2, 0) == (refused.code, short.code)
    assert "no run could refresh before that" in refused.screen
    stage.cli("resume")
    states.rejected(stage, tokenRefresh=ends(datetime.now(UTC) + 5 * HOUR))
    assert 0 == stage.cli("pause", "--for=6h").code


def test_the_end_of_an_earlier_set(cli: Cli, tokens: Tokens) -> None:
    """A stated end that has passed hides no end that is ahead: Okta's grant ends unused after a week all the same."""
    tokens.store(tokenRefresh=ends(datetime.now(UTC) - DAY))

    refused, short = (cli("pause", f"--for={days}d", PROVIDER="okta") for days in (7, 6))

    assert (2, 0) == (refused.code, short.code)


@pytest.mark.usefixtures("waits")
def test_a_token_that_was_used(stage: Stage) -> None:
    """A grant is lost whose refresh token was used, and the tokens that it brought are gone: no pause costs it more."""
    states.used(stage)
    stage.tokens.put(stage.tokens.current() | {"tokenRefresh": ends(datetime.now(UTC) + 3 * DAY)})

    assert 0 == stage.cli("pause", "--for=7d").code


def test_a_label_that_somebody_took_off(cli: Cli, tokens: Tokens, store: SecretsManagerServer) -> None:
    """`resume` finds a pause by its ID, and the next run goes on."""
    tokens.store(expires_in=7 * HOUR)
    cli("pause", "--why", "first")
    cli("pause", "--why", "second")
    newest = store.client().get_secret_value(SecretId=SECRET_ID, VersionStage="REFRESH_CLAIM")["VersionId"]
    store.client().update_secret_version_stage(
        SecretId=SECRET_ID, VersionStage="REFRESH_CLAIM", RemoveFromVersionId=newest
    )

    assert "Resumed: runs may refresh" in cli("resume").screen
    assert "refreshed" == cli("refresh", "--force", "--json").json["outcome"]


@pytest.mark.usefixtures("waits")
def test_a_newer_pause_of_somebody_else(cli: Cli, tokens: Tokens, store: SecretsManagerServer) -> None:
    """`resume` ends the pause that it read, and no other."""
    tokens.store(expires_in=DAY)
    cli("pause", "--why", "mine")
    came: list[bool] = []

    def faster(call: Any) -> None:
        if call.operation == "PutSecretValue" and not came:
            came.append(True)
            assert 0 == cli("pause", "--for=3h", "--why", "of somebody else").code

    store.authorize = faster
    ended = cli("resume")

    assert 2 == ended.code
    assert f"that pause stays. Look at it: token-refresh status {SECRET_ID}" in ended.screen
    assert "of somebody else" == cli("status", "--json").json["paused"]["why"]


def test_two_who_resume_at_once(cli: Cli, tokens: Tokens, store: SecretsManagerServer) -> None:
    """Both are told that runs may refresh: a pause that is over is no newer one of somebody else."""
    tokens.store(expires_in=DAY)
    cli("pause")
    others: list[Ended] = []
    meanwhile(store, lambda: others.append(cli("resume")))

    ended = cli("resume")

    assert [0, 0] == [ended.code, *(other.code for other in others)], ended.screen


@pytest.fixture
def stage(cli: Cli, tokens: Tokens, store: SecretsManagerServer, endpoint: TokenEndpoint) -> Stage:
    return Stage(cli=cli, tokens=tokens, store=store, endpoint=endpoint)


def test_a_move_that_is_not_complete(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pause never follows a fence, also where tokens wait to become current: claims would go on in two places."""
    states.staged(stage)

    def as_fence(*what: Any, **how: Any) -> Claim:
        return replace(pause_claim(*what, **how), moved_to=in_table(TABLE), pause=None)

    with monkeypatch.context() as patched:
        patched.setattr(pause, "pause_claim", as_fence)
        assert 0 == stage.cli("pause").code

    ended = stage.cli("pause")

    assert 2 == ended.code
    assert f"token-refresh claims move {SECRET_ID}" in ended.screen
