"""A secret in every world: no token, claim or pause in a wrong place, and no request to a host nobody named."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli.scene import Cli
from cli.shell import commands_in
from cli.worlds import (
    CLAIMS,
    FLEET,
    FLEETS_WORKER,
    MEMBERS_COPY,
    OTHER,
    OTHER_COPY,
    READERS,
    SECRET,
    STACK,
    WORKER,
    WORLDS,
    WRITERS,
    Place,
    assert_right,
    carried_out,
    left,
    member,
    new_member,
    stack,
    unreadable,
)
from token_refresh_admin.cli.context import Context
from token_refresh_worker.stored.tags import STACK_TAG

pytestmark = pytest.mark.usefixtures("hosts")


@pytest.mark.parametrize("world", WORLDS)
def test_a_new_grant_in_every_world(cli: Cli, place: Place, hosts: set[str], tmp_path: Path, world: str) -> None:
    """Its tokens get where they belong, or nowhere; `test_worlds_of_commands` has the other commands."""
    assert_right(cli, place, hosts, tmp_path, "authorize", world, beside=True)


def test_a_copy_that_is_a_token_secret(cli: Cli, place: Place) -> None:
    """No token goes into a secret that another deployment's tags name as a token secret."""
    own = WORLDS["shell"](place)
    place.tag(OTHER, function="others-worker")
    before = place.everything()

    ended = cli("refresh", SECRET, "--force", "--yes", **place.environment, **own | {"PUBLISHED_SECRET_ID": OTHER})

    assert (2, before) == (ended.code, place.everything())
    assert f"PUBLISHED_SECRET_ID names {OTHER}, which is itself a token secret" in ended.screen


def test_a_members_copy_that_is_gone(cli: Cli, place: Place) -> None:
    """`status` and a run print one remedy for a member's copy that is deleted for good: its fleet makes it again."""
    own = WORLDS["member"](place)
    place.store.call("DeleteSecret", {"SecretId": MEMBERS_COPY, "ForceDeleteWithoutRecovery": True})

    again = f"make it again: token-refresh fleet add {SECRET} --fleet {FLEET} --region eu-central-1"

    for line in ("status", "refresh --force --yes"):
        ended = cli(*line.split(), SECRET, **place.environment, **own)

        assert 2 == ended.code
        assert again in ended.screen
        assert "create-secret" not in ended.screen


@pytest.mark.parametrize(("world", "repeated"), [("stack", False), ("member", True), ("unreadable", True)])
def test_who_says_the_provider(cli: Cli, place: Place, world: str, *, repeated: bool) -> None:
    """A command that is printed repeats `--provider`, unless the function that was found says it."""
    own = WORLDS[world](place)
    place.put("garbage")

    ended = cli("status", SECRET, "--provider", "upwork", **place.environment, **own)

    printed = commands_in(ended)
    assert printed, ended.screen
    assert {repeated} == {"--provider upwork" in line for line in printed}, ended.screen


def test_where_a_member_s_longer_lifetime_is_set(cli: Cli, place: Place) -> None:
    """A fleet's deployment has no parameter for it: where an expiry is doubted, `status` names the profile."""
    own = WORLDS["member"](place)
    place.put(place.read() | {"expiresAt": 4_102_444_800_000})

    ended = cli("status", SECRET, **place.environment, **own)

    assert "If access tokens live so long, set lifetime_seconds in a profile of your own" in ended.screen


@pytest.mark.parametrize("options", [(), ("--function", FLEETS_WORKER, "--provider", "upwork")])
def test_the_claims_of_a_member(cli: Cli, place: Place, options: tuple[str, ...]) -> None:
    """`claims move` on a fleet's member prints the way out: leave the fleet, then move; nothing is moved before."""
    own = WORLDS["member"](place)
    before = place.everything()

    ended = cli("claims", "move", SECRET, "--to=table", f"--table={CLAIMS}", *options, **place.environment, **own)

    leave, move = commands_in(ended)
    assert (2, before) == (ended.code, place.everything())
    assert leave == f"token-refresh fleet remove {SECRET} --fleet {FLEET} --region eu-central-1"
    assert move.startswith(f"token-refresh claims move {SECRET} --to table --table {CLAIMS} --region eu-central-1")
    for line in (leave, move):
        assert 0 == cli(*line.split()[1:], **place.environment).code
    assert place.claimed_in(CLAIMS)


def in_another_fleet(place: Place) -> None:
    """A member that no run has met, of a fleet that is not the named worker's."""
    new_member(place)
    place.tag(SECRET, fleet="staging")


def in_no_fleet(place: Place) -> None:
    """A secret that a fleet's worker has nothing to do with."""
    new_member(place)
    place.store.call("UntagResource", {"SecretId": SECRET, "TagKeys": ["token-refresh:fleet"]})


ON_THE_TOKENS = "Run the command on the token secret: token-refresh pause"
JOINS = f"is not in fleet {FLEET}. Add it: token-refresh fleet add {SECRET} --fleet {FLEET}"


@pytest.mark.parametrize(
    ("world", "line", "said"),
    [
        (left, "refresh --force --yes", f"function {WORKER} refreshes {OTHER}"),
        (member, f"pause {OTHER_COPY} --function {FLEETS_WORKER}", f"{ON_THE_TOKENS} {OTHER}"),
        (member, f"pause {MEMBERS_COPY} --function {FLEETS_WORKER}", f"{ON_THE_TOKENS} {SECRET}"),
        (
            in_another_fleet,
            f"refresh {SECRET} --force --yes --function {FLEETS_WORKER}",
            f"secret {SECRET} is in fleet staging",
        ),
        (
            in_another_fleet,
            f"authorize {SECRET} --fleet {FLEET} --provider upwork",
            f"secret {SECRET} is in fleet staging: take it out first: token-refresh fleet remove {SECRET} --fleet stag",
        ),
        (member, f"status nowhere --function {FLEETS_WORKER}", "to create the secret: token-refresh authorize nowhere"),
        (in_no_fleet, f"status {SECRET} --function {FLEETS_WORKER}", JOINS),
        (in_no_fleet, f"refresh {SECRET} --force --yes --function {FLEETS_WORKER}", JOINS),
        (in_no_fleet, f"authorize {SECRET} --yes --function {FLEETS_WORKER}", JOINS),
        (
            new_member,
            f"authorize {OTHER} --fleet staging --function {FLEETS_WORKER}",
            f"function {FLEETS_WORKER} refreshes fleet {FLEET}",
        ),
    ],
)
def test_a_deployment_of_something_else(
    cli: Cli, place: Place, world: Callable[[Place], object], line: str, said: str
) -> None:
    """Whatever an operator names, a secret gets nothing from a function that is not its own: the error says whose."""
    world(place)
    before = place.everything()

    ended = cli(*line.split(), **place.environment, TOKEN_SECRET_ID=SECRET)

    assert (3 if "status" in line else 2, before) == (ended.code, place.everything()), ended.screen
    assert said in ended.screen
    assert "--function" not in ended.screen.partition("fleet add")[2], "it has no such option"


@pytest.mark.parametrize("line", [*WRITERS, *READERS])
def test_a_function_whose_settings_nobody_can_read(cli: Cli, place: Place, tmp_path: Path, line: str) -> None:
    """A function that is named and whose settings Lambda can't decrypt is no deployment: nothing acts on defaults."""
    stack(place)
    place.aws.function["Environment"] = {"Error": {"ErrorCode": "KMSAccessDeniedException", "Message": "no"}}
    before = place.everything()

    ended = carried_out(cli, place, line, tmp_path, more=f"--function {WORKER}", **place.environment)

    assert {"doctor": 1, "verify": 3, "status": 3}.get(line, 2) == ended.code
    assert before == place.everything()
    assert f"Lambda can't decrypt the settings of function {WORKER} (KMSAccessDeniedException)" in ended.screen


@pytest.mark.parametrize(
    ("worlds", "options", "table"),
    [((stack, member), (), FLEET), ((unreadable,), ("--function", WORKER), CLAIMS)],
    ids=["a member with tags of an earlier deployment", "unreadable tags, and the function that is printed"],
)
def test_what_is_proven_otherwise(
    cli: Cli, place: Place, worlds: tuple[Callable[[Place], object], ...], options: tuple[str, ...], table: str
) -> None:
    """What the tokens say precedes tags, and so does the function that an operator names."""
    for world in worlds:
        world(place)

    ended = cli("pause", SECRET, *options, **place.environment)

    assert (0, {SECRET}) == (ended.code, place.claimed_in(table)), ended.screen


@pytest.mark.parametrize("line", ["status", "authorize --fleet prod"])
def test_a_fleets_worker_that_has_another_name_than_its_stack(cli: Cli, place: Place, line: str) -> None:
    """A release's template lets one name the worker: without `--function` a command says what to name."""
    member(place)
    place.tables.tags[FLEET] |= {STACK_TAG: STACK}

    ended = cli(*line.split(), SECRET, **place.environment)

    assert ended.code in {2, 3}
    assert f"function {WORKER} in eu-central-1 does not exist" in ended.screen
    assert "--function NAME" in ended.screen


@pytest.mark.parametrize(("deployed", "tags"), [(stack, 3), (member, 1)])
def test_a_deployment_that_is_deleted(
    cli: Cli, place: Place, monkeypatch: pytest.MonkeyPatch, deployed: Callable[[Place], object], tags: int
) -> None:
    """A secret whose stack is gone has a way out: without its tags, the shell's settings apply."""
    deployed(place)
    place.aws.function["FunctionName"] = "another"
    if deployed is member:
        monkeypatch.delitem(place.tables.tables, FLEET)

    untag = f"If its stack was deleted, take the tags off: aws secretsmanager untag-resource --secret-id {SECRET} "
    for line, code in (("revoke --by-hand --yes", 2), ("status", 3), ("doctor", int(deployed is member))):
        ended = cli(*line.split(), SECRET, **place.environment)
        found = ended.screen.partition(f"{untag}--tag-keys ")[2].partition(" --region")[0]
        assert (code, tags) == (ended.code, len(found.split())), ended.screen
        assert "claims move" not in ended.screen, "it is refused"


def test_a_replica(cli: Cli, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A replica has its secret's tags, and no function beside it: the command names the region of the secret."""
    stack(place)
    place.deploy(WORKER, place.settings, stack=None)
    call = Context.call

    def of_a_replica(context: Context, action: str, secret_id: str, **members: Any) -> dict[str, Any]:
        return {**call(context, action, secret_id, **members), "PrimaryRegion": "eu-west-1"}

    monkeypatch.setattr(Context, "call", of_a_replica)

    ended = cli("refresh", SECRET, "--force", "--yes", **place.environment)

    assert 2 == ended.code
    assert f"act on the secret itself: token-refresh refresh {SECRET} --force --region eu-west-1" in ended.screen
