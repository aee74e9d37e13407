"""What somebody puts into the secret over a living grant, and other starts: each is repaired by what is printed."""

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from cli.mishaps import State
from cli.operators_desk import SECRET, TABLE, Desk
from cli.worlds import FLEET
from token_refresh.secret_value import SecretValue
from token_refresh_worker.core.attempts import fingerprint_of

_BOTH: Final = ("stack", "member")
_FOREIGN: Final = "stored by something other than this worker"


def strangers(desk: Desk, **changes: Any) -> dict[str, Any]:
    """Return a token set of another grant that lives, as a person would save it."""
    tokens, (client_id, client_secret) = desk.provider.authorize(), desk.provider.client()
    provider = {name: desk.document[name] for name in ("provider",) if name in desk.document}
    return {
        **provider,
        "accessToken": tokens["access_token"],
        "refreshToken": tokens["refresh_token"],
        "expiresAt": int((desk.store.now() + 20 * 3600) * 1000),
        "clientId": client_id,
        "clientSecret": client_secret,
        **changes,
    }


def _stranger(**changes: Any) -> Callable[[Desk], None]:
    return lambda desk: desk.put(strangers(desk, **changes))


def _later(arises: Callable[[Desk], object], **time: float) -> Callable[[Desk], None]:
    def arise(desk: Desk) -> None:
        arises(desk)
        desk.pass_time(**time)

    return arise


def _refreshed(desk: Desk) -> None:
    """A run refreshed the stranger's set, so that the worker's own is not AWSPREVIOUS any more."""
    _stranger()(desk)
    desk.pass_time(minutes=1)
    desk.done("refresh --force --yes")
    desk.pass_time(minutes=20)


def _saved_again(desk: Desk) -> None:
    """Somebody saves a copy of what a run made of the stranger's set."""
    _refreshed(desk)
    desk.edit(note="copied")


def _saved_older(desk: Desk) -> None:
    """Somebody saves the stranger's first set again, which a run has refreshed."""
    _stranger()(desk)
    strangers_first = desk.document
    desk.pass_time(minutes=1)
    desk.done("refresh --force --yes")
    desk.pass_time(minutes=20)
    desk.put(strangers_first)
    desk.pass_time(minutes=20)
    desk.done("refresh")


def _two(desk: Desk) -> None:
    for _ in range(2):
        _stranger()(desk)
        desk.pass_time(minutes=1)


def _in_snake_case(desk: Desk) -> None:
    found = strangers(desk)
    names = {"accessToken": "access_token", "refreshToken": "refresh_token", "expiresAt": "expires_at"}
    names |= {"clientId": "client_id", "clientSecret": "client_secret"}
    desk.put({names.get(name, name): value for name, value in found.items()})


def _of_another_deployment(desk: Desk) -> None:
    """It was copied with the worker's own key: its claims are in another store."""
    found, origin = strangers(desk), desk.document["tokenRefresh"]
    store = {"store": "table", "table": "theirs"} if origin["store"] == "versions" else {"store": "versions"}
    token = fingerprint_of(SecretValue(found["refreshToken"]))
    desk.put({**found, "tokenRefresh": {"host": origin["host"], "grace_seconds": 0, "token": token, **store}})


def _mistyped(desk: Desk) -> None:
    desk.edit(refreshToken=f"{desk.document['refreshToken'][:-1]}~")


def _rejected(arises: Callable[[Desk], object]) -> Callable[[Desk], None]:
    """A run sent what was saved, and the provider rejected it."""

    def arise(desk: Desk) -> None:
        arises(desk)
        desk.pass_time(minutes=1)
        assert 2 == desk.run("refresh --force").code
        desk.pass_time(minutes=20)

    return arise


def _of_a_dead_grant(desk: Desk) -> None:
    found = strangers(desk)
    desk.provider.revoke(found["refreshToken"])
    desk.put(found)


def _older_grant(desk: Desk, *, refreshed: bool = True) -> None:
    """Its refresh token was rejected, a person authorized, and somebody puts the older set back."""
    first = desk.document
    desk.provider.revoke(first["refreshToken"])
    assert 2 == desk.run("refresh --force").code
    desk.pass_time(minutes=20)
    desk.done(f"authorize {SECRET}")
    if refreshed:
        desk.pass_time(minutes=20)
        desk.done("refresh --force --yes")
    desk.pass_time(minutes=20)
    desk.put(first)


def _older(desk: Desk) -> None:
    """A set of the same grant, from before a refresh."""
    first = desk.document
    desk.done("refresh --force --yes")
    desk.pass_time(minutes=25)
    desk.put(first)


def _interrupted(desk: Desk) -> None:
    """A run could not make the tokens current that it received."""
    desk.denied = {"UpdateSecretVersionStage"}
    assert 2 == desk.run("refresh --force --yes").code
    desk.denied = set()
    desk.pass_time(minutes=25)


def _lost(desk: Desk) -> None:
    """The response of a refresh was lost."""
    desk.provider.fail_next("after")
    assert 1 == desk.run("refresh --force --yes").code


def _down(desk: Desk) -> None:
    """The provider was down, and a later run tries again."""
    desk.provider.fail_next("before")
    desk.pass_time(hours=17)
    assert 1 == desk.run("refresh").code


def _copy_overwritten(desk: Desk) -> None:
    desk.put("garbage", desk.published)


def _copy_behind(desk: Desk) -> None:
    """It could not be written for a while."""
    desk.client.delete_secret(SecretId=desk.published)
    desk.run("refresh --force --yes")
    desk.client.restore_secret(SecretId=desk.published)
    desk.pass_time(hours=1)


def _emptied(desk: Desk) -> None:
    """Nothing was ever stored, as where a customer's first consent failed."""
    tags = desk.client.describe_secret(SecretId=SECRET)["Tags"]
    desk.client.delete_secret(SecretId=SECRET, ForceDeleteWithoutRecovery=True)
    desk.client.create_secret(Name=SECRET, Tags=tags)


def _deployed_with_a_table(desk: Desk) -> None:
    desk.aws.function["Environment"]["Variables"]["CLAIM_TABLE"] = TABLE


def _table_emptied(desk: Desk) -> None:
    desk.table.tables[FLEET].clear()
    desk.strike_at(1, lambda: desk.pass_time(minutes=10))


def _over(arises: Callable[[Desk], object], says: str = _FOREIGN, **differs: Any) -> State:
    """Describe what was saved over a living grant: the worker's own set comes back, and nobody consents."""
    broken = says != _FOREIGN
    expected: dict[str, Any] = {
        "status": 2 if broken else 1,
        "doctor": int(broken),
        "repairs": ("restore",),
        "run_says": broken,
        "worlds": _BOTH,
    }
    return State(arises=arises, says=says, single_use=True, **expected | differs)


def _start(arises: Callable[[Desk], object], says: str, *repairs: str, **differs: Any) -> State:
    expected: dict[str, Any] = {"status": 1, "doctor": 0, "worlds": _BOTH, "single_use": True}
    return State(arises=arises, says=says, repairs=repairs, **expected | differs)


_DEAD: Final = "are dead: they, or the tokens that followed them"
_NO_DOCUMENT: Final = "is not a token document"
OVER_A_LIVING_GRANT: Final[dict[str, State]] = {
    "junk": _over(lambda desk: desk.put("junk"), "the secret's value is not JSON"),
    "a time that is none, in the worker's own set": _over(lambda desk: desk.edit(expiresAt="tomorrow"), _NO_DOCUMENT),
    "a second refresh token in the worker's own set": _over(lambda desk: desk.edit(refresh_token="x"), _NO_DOCUMENT),
    "a mistyped refresh token": _over(_mistyped),
    "a stranger's set": _over(_stranger()),
    "a stranger's set, due": _over(
        _later(_stranger(), hours=17), status=2, doctor=1, repairs=("restore", "refresh"), run_says=False
    ),
    "a stranger's set, refreshed since": _over(_refreshed),
    "a stranger's set, refreshed since and saved again": _over(_saved_again),
    "a stranger's older set over what a run made of it": _over(_saved_older),
    "two strangers' sets": _over(_two),
    "a mistyped refresh token, rejected": _over(_rejected(_mistyped), _DEAD),
    "a stranger's set of a dead grant, rejected": _over(_rejected(_of_a_dead_grant), _DEAD, services="rejected"),
    "a stranger's set of another client": _over(_stranger(clientId="another")),
    "a stranger's set in the other spelling": _over(_in_snake_case),
    "a stranger's set with a time that is none": _over(_stranger(expiresAt="tomorrow"), _NO_DOCUMENT),
    "a stranger's set with an expiry that is not believed": _over(
        _stranger(expiresAt=4_000_000_000_000), status=2, doctor=1
    ),
    "a stranger's set of another provider": _over(
        lambda desk: desk.put(strangers(desk, provider="xero")),
        "belong to the provider xero",
        status=3,
        worlds=("stack",),
    ),
    "a stranger's set of another deployment": _over(
        _of_another_deployment, "is of another secret: its claims are in", worlds=("stack",)
    ),
    "a stranger's set of another deployment, over a member's": _over(
        _of_another_deployment,
        "nothing proves which deployment",
        status=3,
        doctor=0,
        run_says=False,
        worlds=("member",),
    ),
}
"""What was saved by mistake, where the worker's own set is in the secret and alive."""

STARTS: Final[dict[str, State]] = {
    "a set of an older grant over a new one": _start(_older_grant, _DEAD, "restore", status=2, doctor=1),
    "a set of an older grant over one that no run has refreshed": _start(
        partial(_older_grant, refreshed=False), _DEAD, "restore", status=2, doctor=1
    ),
    "an older set of the same grant": _start(_older, "somebody saved an older token set", "refresh"),
    "a run that could not make its tokens current": _start(
        _interrupted, "a run was interrupted after it received tokens", "refresh", services="rejected"
    ),
    "a lost response": _start(
        _lost, "nobody knows whether its refresh token was redeemed", "wait", "authorize", services="rejected"
    ),
    "a lost request": _start(_down, "nobody knows whether its refresh token was redeemed", "wait"),
    "23 hours without a run": _start(lambda desk: desk.pass_time(hours=23), "the refresh is overdue", "refresh"),
    "the copy is overwritten": _start(
        _copy_overwritten, "was overwritten at", "refresh", status=2, doctor=1, services="fail"
    ),
    "the copy is behind": _start(
        _copy_behind, "is of an older version for", "refresh", status=2, doctor=1, services="rejected"
    ),
    "nothing is stored yet": _start(_emptied, "has no value yet", "authorize", status=2, doctor=1, worlds=("stack",)),
    "nothing is stored yet in a new member": _start(
        _emptied, "nothing proves which deployment", "authorize", status=3, doctor=1, worlds=("member",)
    ),
    "a table is deployed, and the claims are not moved": _start(
        _deployed_with_a_table,
        "are in the secret, and the settings keep them in table claims",
        "claims",
        status=2,
        doctor=1,
        worlds=("stack",),
    ),
    "the fleet's table is emptied": _start(
        _table_emptied, "has lost claims on this secret", "refresh", single_use=False, worlds=("member",)
    ),
}
"""Other starts, in a deployed secret and in a fleet's member."""

OF_THE_PAGE: Final[dict[str, tuple[str, ...]]] = {
    "the grant is dead, or the secret is empty": (
        "the grant is dead",
        "nothing is stored yet",
        "nothing is stored yet in a new member",
    ),
    "a run was interrupted after it received tokens": ("a run that could not make its tokens current",),
    "somebody saved an older token set": ("an older set of the same grant",),
    "nobody knows whether a request used the refresh token": ("a lost response", "a lost request"),
    "somebody put tokens of a dead grant back over a living one": (
        "a set of an older grant over a new one",
        "a set of an older grant over one that no run has refreshed",
    ),
    "something else was saved over the tokens, or one of their keys is wrong": tuple(OVER_A_LIVING_GRANT),
    "the secret is full (`SecretFull`): it holds 100 versions of the last 24 hours": (
        "the secret is full of versions",
    ),
    # A person decides which labels to take off.
    "the secret is full (`SecretFull`): too few of its 20 labels are free": (),
    "the settings name another provider or claim store than the stored tokens": (
        "a table is deployed, and the claims are not moved",
    ),
    "the client credentials are wrong, lost or rotated": ("the client ID was edited",),
    "the claim table was emptied, or restored from a backup": ("the fleet's table is emptied",),
    "AWS throttles, or the provider sends an HTML page instead of tokens": ("a lost request",),
    # A person sets it.
    "your machine's clock is off": (),
    "the published copy is behind": ("the copy is behind", "the copy is overwritten"),
    "runs end without refreshing, because the daily limit of refreshes is reached": (
        "a table is deployed, and the claims are not moved",
    ),
}
"""What plays each state of `docs/operations.md`; nothing where no command is printed that leads out."""
