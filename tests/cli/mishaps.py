"""States that no page lists: how each comes about, what `status` and `doctor` say, and what leads out of it."""

import contextlib
import json
import os
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx

from cli.operators_desk import CLIENT, PUBLISHED, REGION, SECRET, TABLE, Desk, Run, repairs
from cli.scene import Ended
from stored.worlds import load, open_testbed
from token_refresh.errors import TokenRefreshError


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """One state."""

    arises: Callable[[Desk], object]
    says: str
    """What both commands say of it, and what is true."""
    status: int = 2
    doctor: int = 1
    repairs: tuple[str, ...] = ()
    """The printed commands that lead out, in order; `allow` is an administrator's, and `wait` takes no command."""
    services: str = "read"
    """Whether services `read` a token meanwhile that the API accepts, are `rejected` by it, or `fail` to read one."""
    consents: bool = False
    """Whether a new grant is right although a set of the old one is alive."""
    run_says: bool = False
    """Whether a run that is not forced ends with an error, which prints what `status` does first."""
    twice: bool = False
    """Whether a second operator does everything, too."""
    single_use: bool = False
    variables: Mapping[str, str] = field(default_factory=dict)
    """How the operator looks, where that is the state."""
    tables: tuple[bool, ...] = (False, True)
    """Whether claims are in a table; by default each once."""
    worlds: tuple[str, ...] = ("shell",)
    """Whose settings there are: the shell's, those of a `stack` with the secret, or of the fleet of a `member`."""


def _spaced_client(field: str) -> Callable[[Desk], None]:
    def arise(desk: Desk) -> None:
        desk.edit(**{field: f"{desk.document[field]}\n"})
        desk.pass_time(hours=16)

    return arise


def _spaced_file(desk: Desk) -> None:
    """The operator's file has the newline, too: it is refused by name, and nothing is stored."""
    _spaced_client("clientSecret")(desk)
    spoilt = desk.folder / "spoilt.json"
    spoilt.write_text(json.dumps(json.loads(desk.file.read_text()) | {"clientSecret": "made-up\n"}))
    spoilt.chmod(0o600)
    before = desk.document
    refused = desk.run(f"client {SECRET} --client-file {spoilt}")
    assert (2, before) == (refused.code, desk.document)
    assert "spoilt.json: clientSecret begins or ends with white space" in refused.screen


def _another_client(desk: Desk) -> None:
    desk.edit(clientId="another")
    assert 2 == desk.run("refresh --force").code


def _denied(desk: Desk) -> None:
    desk.put("[]")
    desk.denied = {"PutSecretValue"}


def _dies(desk: Desk) -> None:
    desk.provider.revoke(desk.document["refreshToken"])
    assert 2 == desk.run("refresh --force --yes").code


def _dead_for(hours: float) -> Callable[[Desk], None]:
    """A service's 401 forced the refresh that was rejected; the tokens are due after 15 hours, and expire after 23."""

    def arise(desk: Desk) -> None:
        _dies(desk)
        desk.pass_time(hours=1, minutes=1)
        assert 2 == desk.run("refresh").code, "a scheduled run of the hour after"
        desk.pass_time(hours=hours - 1)

    return arise


def _dead_and_denied(desk: Desk) -> None:
    _dies(desk)
    desk.denied = {"PutSecretValue"}


def _fewer_scopes(desk: Desk) -> None:
    _made_again(desk)
    desk.authorized(scope="read com.intuit.quickbooks.accounting")
    desk.done("refresh --force --yes")


def _double_encoded(desk: Desk) -> None:
    desk.put(json.dumps(json.dumps(desk.document)))
    desk.client.delete_secret(SecretId=PUBLISHED)


def _unknown(desk: Desk) -> None:
    """The response to a refresh was lost, and two operators send the token again: that ends a single-use grant."""
    desk.provider.fail_next("after")
    assert 1 == desk.run("refresh --force --yes").code


def _unknown_resent(desk: Desk) -> None:
    _unknown(desk)
    claim = desk.run("status").out.split("--resend ")[1].split()[0]
    codes = [desk.run(f"refresh {SECRET} --resend {claim}").code for _ in range(2)]
    assert 2 == codes[0]


def _never_arrived_resent(desk: Desk) -> None:
    """The request never arrived: the first resend brings tokens, and the second finds nothing to do."""
    desk.provider.fail_next("before")
    assert 1 == desk.run("refresh --force --yes").code
    claim = desk.run("status").out.split("--resend ")[1].split()[0]
    for _ in range(2):
        desk.done(f"refresh {SECRET} --resend {claim}")


def _paused_and_authorized(desk: Desk) -> None:
    _dies(desk)
    desk.done("pause --for 1h --why maintenance")
    desk.done(f"authorize {SECRET}")


def _no_time(desk: Desk) -> None:
    """Nothing older is there; the operator pipes the value with the right time."""
    desk.piped = {name: value for name, value in desk.document.items() if name != "tokenRefresh"}
    _made_again(desk)
    desk.put({**desk.piped, "expiresAt": "tomorrow"})


def _end_of_grant(desk: Desk) -> None:
    desk.edit(expiresAt=desk.document["expiresAt"] + 100 * 86_400_000)


def _made_again(desk: Desk) -> None:
    desk.client.delete_secret(SecretId=SECRET, ForceDeleteWithoutRecovery=True)
    desk.client.create_secret(Name=SECRET)


def _denied_for_hours(desk: Desk) -> None:
    """Each run fails before its claim, until somebody allows the action that it names."""
    desk.denied = {"PutSecretValue", "UpdateItem"}
    desk.pass_time(hours=17)
    assert 2 == desk.run("refresh").code
    desk.denied = set()


def _in_a_client_secret(breaks: Callable[[Desk], object]) -> Callable[[Desk], None]:
    def arise(desk: Desk) -> None:
        desk.client.create_secret(Name=CLIENT, SecretString=desk.file.read_text())
        desk.environment["CLIENT_SECRET_ID"] = CLIENT
        breaks(desk)

    return arise


def _deleted(name: str) -> Callable[[Desk], None]:
    return lambda desk: desk.client.delete_secret(SecretId=name)


def _refreshed_beside(desk: Desk) -> None:
    """A second refresher stores what it received."""
    times = {name: desk.document[name] for name in ("expiresAt", "issuedAt")}
    desk.authorized(**times)


def _unlabelled(desk: Desk) -> None:
    label = "REFRESH_CLAIM"
    claim = desk.client.get_secret_value(SecretId=SECRET, VersionStage=label)["VersionId"]
    desk.client.update_secret_version_stage(SecretId=SECRET, VersionStage=label, RemoveFromVersionId=claim)


def _emptied(desk: Desk) -> None:
    """The claim that replaces the lost ones ends as soon as it is stored: nobody waits for it."""
    desk.table.tables[TABLE].clear()
    desk.strike_at(1, lambda: desk.pass_time(minutes=10))


def _deployed_with_a_table(desk: Desk) -> None:
    desk.environment["CLAIM_TABLE"] = TABLE


def _copied_over(desk: Desk) -> None:
    """Somebody saves what services read in the wrong secret."""
    desk.put(desk.client.get_secret_value(SecretId=desk.published)["SecretString"])


def _copy_deleted(desk: Desk) -> None:
    desk.client.delete_secret(SecretId=desk.published)


def _copy_gone(desk: Desk) -> None:
    desk.client.delete_secret(SecretId=desk.published, ForceDeleteWithoutRecovery=True)


def _copy_gone_from_stack(desk: Desk) -> None:
    """The administrator deploys twice, as the words say: without a copy all is well, and then there is an empty one."""
    _copy_gone(desk)
    status, variables = desk.run("status"), desk.aws.function["Environment"]["Variables"]
    assert (2, True) == (status.code, 'published_secret = "none"' in status.screen), status.screen
    assert "scripts/deploy NAME" in status.screen
    published = variables.pop("PUBLISHED_SECRET_ID")
    assert "published copy" not in desk.done("status").screen
    variables["PUBLISHED_SECRET_ID"] = published
    desk.client.create_secret(Name=desk.published)


def _full(desk: Desk) -> None:
    """Something else stores a version with a label of its own, again and again."""
    with contextlib.suppress(desk.client.exceptions.LimitExceededException):
        for number in range(100):
            desk.client.put_secret_value(SecretId=SECRET, SecretString=str(number), VersionStages=["OTHER"])
    desk.pass_time(hours=17)
    assert "SecretFull" in desk.run("refresh").screen


def _key_changed(desk: Desk) -> None:
    """A new key is on the secret, and the old one is switched off: what is current is under the new one alone."""
    desk.client.update_secret(SecretId=SECRET, KmsKeyId="alias/new")
    desk.edit()
    desk.store.secrets.refuse(SECRET, "")
    desk.pass_time(hours=16, minutes=10)


def _key_off(desk: Desk) -> None:
    """Somebody switches the key off under which all is that is stored."""
    desk.store.secrets.refuse(SECRET, "")
    desk.pass_time(minutes=20)


def _received_under_a_key_that_is_off(desk: Desk) -> None:
    """A run stored tokens, and could not make them current; the new key is on what is current alone."""
    desk.denied = {"UpdateSecretVersionStage"}
    assert 2 == desk.run("refresh --force --yes").code
    desk.denied = set()
    desk.client.update_secret(SecretId=SECRET, KmsKeyId="alias/new")
    _key_off(desk)


def _paused(desk: Desk) -> None:
    desk.done("pause --for 1h --why maintenance")


_NEWLINE: Final = "begins or ends with white space"

STATES: Final[dict[str, State]] = {
    "1 the client secret ends in a newline, and so does the file with it": State(
        arises=_spaced_file, says=f"clientSecret {_NEWLINE}", repairs=("client",)
    ),
    "3 the client ID was edited": State(
        arises=_another_client, says="not redeemed (invalid_client)", repairs=("client",), status=1
    ),
    "3 the client ID ends in a newline": State(
        arises=_spaced_client("clientId"), says=f"clientId {_NEWLINE}", repairs=("client",)
    ),
    "4 a list, and two operators restore": State(
        arises=lambda desk: desk.put("[]"), says="the secret's value is a JSON array", repairs=("restore",), twice=True
    ),
    "5 a list, and the operator may not write": State(
        arises=_denied, says="the secret's value is a JSON array", repairs=("allow", "restore")
    ),
    "6 a dead grant, and the operator may not write": State(
        arises=_dead_and_denied, says="rejected the refresh token", repairs=("allow", "authorize"), services="rejected"
    ),
    **{
        f"6 a dead grant, {hours} hours later, {how}": State(
            arises=_dead_for(hours), says="rejected the refresh token", repairs=("authorize",), services="rejected"
        )
        for hours, how in ((2, "with fresh tokens"), (17, "with tokens that are due"), (30, "with an expired token"))
    },
    "8 a refresh brought fewer scopes": State(
        arises=_fewer_scopes,
        says="without 1 of the grant's scopes",
        status=1,
        doctor=0,
        repairs=("authorize",),
        consents=True,
    ),
    "12 no network": State(
        arises=lambda _: None,
        says="got no response",
        status=3,
        variables={"AWS_ENDPOINT_URL_SECRETS_MANAGER": "http://127.0.0.1:9"},
        tables=(False,),
    ),
    "14 double-encoded, and the copy marked for deletion": State(
        arises=_double_encoded,
        says="the secret's value is a JSON string",
        repairs=("restore", "restore-secret"),
        services="fail",
    ),
    "18 a lost response": State(
        arises=_unknown,
        says="nobody knows whether its refresh token was redeemed",
        status=1,
        doctor=0,
        repairs=("wait", "authorize"),
        single_use=True,
        services="rejected",
    ),
    "18 a lost response, sent again by two operators": State(
        arises=_unknown_resent,
        says="rejected the refresh token",
        repairs=("authorize",),
        single_use=True,
        services="rejected",
    ),
    "18 a lost request, sent again by two operators": State(
        arises=_never_arrived_resent, says="HEALTHY", status=0, doctor=0, single_use=True
    ),
    "19 one pauses, and another authorizes": State(
        arises=_paused_and_authorized, says="paused the refreshes until", status=1, doctor=0, repairs=("resume",)
    ),
    "21 the expiry is no time": State(
        arises=_no_time, says="expiresAt is not a time", repairs=("restore", "put-secret-value")
    ),
    "21 the expiry is the refresh token's": State(
        arises=_end_of_grant, says="expiresAt is not believed", repairs=("refresh",)
    ),
    "22 deleted for good and made again": State(arises=_made_again, says="has no value yet", repairs=("authorize",)),
    "each run fails before its claim": State(
        arises=_denied_for_hours, says="is overdue", status=1, doctor=0, repairs=("refresh",)
    ),
    "the client secret is deleted": State(
        arises=_in_a_client_secret(_deleted(CLIENT)), says="marked for deletion", repairs=("restore-secret",)
    ),
    "the client secret is overwritten": State(
        arises=_in_a_client_secret(lambda desk: desk.put("garbage", CLIENT)),
        says="(CLIENT_SECRET_ID)",
        repairs=("client",),
    ),
    "the published secret is deleted": State(
        arises=_deleted(PUBLISHED),
        says=f"secret {PUBLISHED} in {REGION} is marked for deletion",
        repairs=("restore-secret",),
        services="fail",
    ),
    "the token secret is deleted": State(
        arises=_deleted(SECRET), says="marked for deletion", repairs=("restore-secret",)
    ),
    "a second refresher": State(
        arises=_refreshed_beside,
        says="stored by something other than this worker",
        status=1,
        doctor=0,
        repairs=("restore",),
    ),
    "binary data over the tokens": State(
        arises=lambda desk: desk.client.put_secret_value(SecretId=SECRET, SecretBinary=b"\0"),
        says="it is binary, and must be text",
        repairs=("restore",),
    ),
    "the claim's label is taken off": State(arises=_unlabelled, says="HEALTHY", status=0, doctor=0, tables=(False,)),
    "a table is deployed, and the claims were not moved": State(
        arises=_deployed_with_a_table,
        says="are in the secret, and the settings keep them in table claims",
        repairs=("claims",),
        tables=(False,),
    ),
    "the claim table was emptied": State(
        arises=_emptied,
        says="has lost claims on this secret: it was emptied, restored from a backup",
        status=1,
        doctor=0,
        repairs=("refresh",),
        tables=(True,),
    ),
}

_BOTH: Final = ("stack", "member")
DEPLOYED: Final[dict[str, State]] = {
    "the published copy is saved over the tokens": State(
        arises=_copied_over, says="is not a token document", repairs=("restore",), worlds=_BOTH
    ),
    "a value is saved over the tokens": State(
        arises=lambda desk: desk.put("[]"),
        says="the secret's value is a JSON array",
        repairs=("restore",),
        worlds=_BOTH,
    ),
    "the provider's name is misspelt": State(
        arises=lambda desk: desk.edit(provider="upwrok"),
        says="is not the name of a profile (did you mean upwork?)",
        status=3,
        repairs=("restore",),
        worlds=_BOTH,
    ),
    "the client ID was edited": State(
        arises=_another_client, says="not redeemed (invalid_client)", repairs=("client",), status=1, worlds=_BOTH
    ),
    "the grant is dead": State(
        arises=_dies, says="rejected the refresh token", repairs=("authorize",), services="rejected", worlds=_BOTH
    ),
    "the copy is marked for deletion": State(
        arises=_copy_deleted, says="is marked for deletion", repairs=("restore-secret",), services="fail", worlds=_BOTH
    ),
    "the copy of a member is gone": State(
        arises=_copy_gone,
        says="can't read the published copy",
        repairs=("fleet", "refresh"),
        services="fail",
        worlds=("member",),
    ),
    "the copy of a stack was gone, and is made again": State(
        arises=_copy_gone_from_stack,
        says="has no value yet",
        status=1,
        doctor=0,
        repairs=("refresh",),
        services="fail",
        worlds=("stack",),
    ),
    "the copy of a secret without tags is gone": State(
        arises=_copy_gone, says="can't read the published copy", repairs=("create-secret", "refresh"), services="fail"
    ),
    "the key of the tokens is off": State(
        arises=_key_off,
        says="but KMS refuses to decrypt it with key DefaultEncryptionKey",
        status=3,
        repairs=("enable-key",),
        worlds=_BOTH,
    ),
    "the key of the tokens that follow is off": State(
        arises=_received_under_a_key_that_is_off,
        says="(label REFRESH_OUTCOME), but KMS refuses to decrypt it with key DefaultEncryptionKey",
        single_use=True,
        services="rejected",
        repairs=("enable-key", "refresh"),
        worlds=_BOTH,
    ),
    "the key was changed": State(arises=_key_changed, says="HEALTHY", status=0, doctor=0, worlds=_BOTH),
    "the secret is full of versions": State(
        arises=_full,
        says="holds as many versions as Secrets Manager allows",
        status=1,
        doctor=0,
        repairs=("wait",),
        worlds=_BOTH,
    ),
    "a pause": State(
        arises=_paused, says="paused the refreshes until", status=1, doctor=0, repairs=("resume",), worlds=_BOTH
    ),
}
"""What reaches a deployed secret and a fleet's member alike."""


_LEFT: Final = {
    json.dumps(world): f"20 an upgrade from {file.stem}, {world['state']}"
    for file in sorted((Path(__file__).parents[1] / "stored" / "releases").glob("*.json"))
    for world in json.loads(file.read_text())["worlds"]
    if world["provider"] == "single use"
    and world["state"] in {"refreshed", "due", "died with its tokens"}
    and world["store"] == "versions"
}
RELEASES: Final = {name: json.loads(world) for world, name in _LEFT.items()}
"""What each release left behind at a single-use provider."""


def upgrade(world: dict[str, Any], run: Run, home: Path) -> tuple[str, ...]:
    """Look at what a release left behind, with today's commands, and refresh.

    Raises:
        AssertionError: Something that was said is not true, or does not help.
    """
    with open_testbed(world) as testbed:
        load(world, testbed)
        environment = testbed.environment | {"HOME": str(home), "COLUMNS": "500", "PATH": os.environ["PATH"]}

        def ended(line: str) -> Ended:
            return run(line.split(), environment, "")

        status, doctor, history = ended("status"), ended("doctor"), ended("history")
        interrupted = world["state"] == "died with its tokens"
        says = "makes the tokens current" if interrupted else "HEALTHY"
        assert (int(interrupted), True) == (status.code, says in status.screen), status.screen
        assert (0, False) == (doctor.code, "FAILED" in doctor.screen), doctor.screen
        assert "unknown" not in f"{status.screen} {history.screen}"
        assert 1 == history.screen.count("stored by something other"), history.screen  # The first, which no run stored.
        assert 0 == ended("refresh").code
        assert 0 == ended("status").code
        assert testbed.alive
        assert testbed.up_to_date
        return (f"{status.code}: {says}", str(doctor.code), "refresh" if interrupted else "-", "read")


def walk(state: State, desk: Desk, *, which: int = 0) -> tuple[str, ...]:
    """Bring a state about, look at it, and follow what is printed until all is well; give the row of the table.

    `which` of the printed repairs is followed first; nothing where there are not so many.

    Raises:
        AssertionError: Something that was said is not true, or does not help.
    """
    state.arises(desk)
    desk.consents = state.consents
    status = desk.run("status", variables=state.variables)
    doctor = desk.run("doctor", variables=state.variables)
    services = _services(desk)
    assert (state.status, True) == (status.code, state.says in status.screen), status.screen
    assert state.doctor == doctor.code, doctor.screen
    assert state.says in doctor.screen or state.says == "HEALTHY", doctor.screen
    assert state.services == services
    said = [*repairs(status)[:1], *repairs(doctor)[:1], *(repairs(desk.run("refresh"))[:1] if state.run_says else ())]
    assert not state.run_says or len(said) == 3
    assert ("restore",) != state.repairs[:1] or {"restore"} >= {shlex.split(line)[1] for line in said}, said

    if which >= max(1, len(repairs(status))):
        return ()
    followed = desk.heal(twice=state.twice, which=which)
    assert which or state.repairs == tuple(followed), followed
    desk.assert_well()
    return (f"{status.code}: {state.says}", str(doctor.code), ", ".join(followed) or "-", services)


def _services(desk: Desk) -> str:
    try:
        return "read" if desk.provider.api_status(desk.read()) == httpx.codes.OK else "rejected"
    except TokenRefreshError:
        return "fail"
