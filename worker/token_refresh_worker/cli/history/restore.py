"""`token-refresh restore`: bring an older token set back, also if something else was saved over it."""

from dataclasses import replace
from datetime import datetime
from typing import Annotated

import typer

from token_refresh.advice import Advice
from token_refresh.secret_value import SecretValue
from token_refresh.stored.json_object import write_object
from token_refresh_worker.cli.command import command
from token_refresh_worker.cli.context import Context
from token_refresh_worker.cli.failures import CommandFailed, finishing
from token_refresh_worker.cli.finding import Finding, Health
from token_refresh_worker.cli.history.past import Past, TokenFate, read_past, settings_of
from token_refresh_worker.cli.history.versions import ListedVersion
from token_refresh_worker.cli.lookups import saying_where
from token_refresh_worker.cli.prompts import confirm
from token_refresh_worker.cli.screen import errors, fields_table, message, output, show, span, text, when
from token_refresh_worker.cli.secret.publishing import publish
from token_refresh_worker.cli.secret.storing import fields_of, store_version
from token_refresh_worker.cli.settings import take_word
from token_refresh_worker.core.attempts import fingerprint_of
from token_refresh_worker.core.plan import plan
from token_refresh_worker.core.schedule import Policy, may_be_sent_again
from token_refresh_worker.core.snapshot import RunState, Snapshot
from token_refresh_worker.core.steps import Carry, Mismatch, Promote, Step
from token_refresh_worker.core.versions import CURRENT
from token_refresh_worker.run.failures import mismatch
from token_refresh_worker.run.ports import SecretVersion
from token_refresh_worker.run.settings import Settings
from token_refresh_worker.stored.document import TokenDocument
from token_refresh_worker.stored.origin import ORIGIN_KEY

PREVIOUS = "AWSPREVIOUS"


@command("restore", "", "--version 1b2c3d4e-...", "--yes")
def restore(
    context: Context,
    *,
    version_id: Annotated[
        str | None, typer.Option("--version", metavar="VERSION_ID", help="Which one; default the last good one.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Restore without asking.")] = False,
) -> int:
    """Bring an older token set back, as a new version.

    It is refused if no run could refresh it, or not without a risk: authorize again instead.
    """
    with saying_where(context):
        context = take_word(context, fields_of(context.store().read(label=CURRENT)), ask=not yes)
    past = read_past(context)
    _check_claims(past)
    chosen = _choose(context, past.listed, version_id)
    version = chosen.value
    if chosen.document is None or version is None or version.value is None:
        raise CommandFailed(f"version {chosen.version_id} holds no token set", fix=_alternatives(context))
    value = _marked(context, past, version, chosen.document)
    note, settings = _explain(context, past, replace(version, value=value))
    expires = None if chosen.document.expires_at is None else when(chosen.document.expires_at)
    about = [("version", chosen.version_id), ("stored", when(chosen.created_at)), ("expires", expires), ("note", note)]
    errors().print(fields_table(about))
    if not yes:
        confirm("Make it current, as a new version?")
    version_id = _store(context, value)
    if settings is not None:
        publish(context, settings, version_id, chosen.document)
    show(output(), *message("Next: ", context.command("status")))
    return 0


def _check_claims(past: Past) -> None:
    """Refuse to judge by the wrong claims: they say which refresh tokens were redeemed.

    Raises:
        ConfigurationError: The newest token set names another claim store than the settings.
    """
    newest = next((version.origin for version in past.listed if version.origin), None)
    if newest is not None and newest.claim_store != past.claim_store:
        raise mismatch(past.secret, Mismatch("CLAIM_TABLE", newest.claim_store, past.claim_store))


def _marked(context: Context, past: Past, version: SecretVersion, document: TokenDocument) -> SecretValue:
    """Let an older token set say that it was restored, and name the claim store of today: claims may have moved."""
    snapshot = past.snapshot(version)
    # Nothing is used up; or nobody knows the token's host, and that of a default must not be stored as its own.
    if (document.origin is None and not document.refresh_token) or snapshot.host is None:
        return write_object(document.fields)
    policy = settings_of(context, document.fields).policy
    origin = replace(snapshot.marked(policy), claim_store=past.claim_store)
    # Also where something else stored that set: from here on it is the operator's choice.
    token = fingerprint_of(document.redeemed_token) if document.refresh_token else origin.token
    return write_object({**document.fields, ORIGIN_KEY: replace(origin, token=token).as_fields()})


def _choose(context: Context, versions: list[ListedVersion], wanted: str | None) -> ListedVersion:
    """Choose the version: the one asked for (its first characters suffice), else the last good one.

    Raises:
        CommandFailed: There is no such version, or it is the current one.
    """
    candidates = [v for v in versions if v.document and CURRENT not in v.labels]
    candidates.sort(key=lambda v: PREVIOUS not in v.labels)  # Stable: after AWSPREVIOUS, the newest first.
    if wanted is not None:
        candidates = [v for v in versions if v.version_id.startswith(wanted)]
        if len(candidates) != 1:
            how_many = f"{len(candidates)} versions that start with {wanted}" if candidates else f"no version {wanted}"
            raise CommandFailed(f"secret {context.secret_id} has {how_many}", fix=_alternatives(context))
    if not candidates:
        raise CommandFailed(f"secret {context.secret_id} has no older token set", fix=_alternatives(context))
    if CURRENT in candidates[0].labels:
        raise CommandFailed(f"version {candidates[0].version_id} is the current one; there is nothing to restore")
    return candidates[0]


def _alternatives(context: Context) -> Advice:
    history, authorize = context.command("history"), context.command("authorize")
    return "List the versions: ", history, "; or get a new token set: ", authorize


def _explain(context: Context, past: Past, version: SecretVersion) -> tuple[str, Settings | None]:
    """Say what runs make of a restored set; with the settings to publish it by, if no run replaces it at once.

    Raises:
        CommandFailed: They could not refresh it, or not without a risk.
        ConfigurationError: The settings don't fit it.
    """
    snapshot = past.snapshot(version)
    settings = settings_of(context, snapshot.current.document.fields)
    step = plan(snapshot, RunState(), settings.policy)
    if isinstance(step, Mismatch):
        raise mismatch(past.secret, step)
    verdict = judge(past, snapshot, step, settings.policy)
    if verdict.health is Health.BROKEN:
        raise CommandFailed(verdict.text, fix=("Get a new token set: ", context.command("authorize")))
    return verdict.text, None if isinstance(step, Promote | Carry) else settings


def judge(past: Past, snapshot: Snapshot, step: Step, policy: Policy) -> Finding:
    """Judge a token set by what a run would read and do if it were current."""
    fate, at = past.fate_of_token(snapshot)
    token = "refresh token" if snapshot.current.document.refresh_token else "access token"
    if at is None:
        return Finding.healthy(f"no recorded run redeemed its {token}; if something else did, authorize again instead")
    if isinstance(step, Promote | Carry):
        after = past.snapshot(past.versions[step.successor.version_id])
        if past.fate_of_token(after)[0] is TokenFate.REJECTED:
            return Finding.broken(f"the provider rejected the {token} that replaced that set's")
        return Finding.healthy(
            f"its {token} was redeemed at {when(at)} and will not be used again: the next run brings the tokens "
            "that were received then back on top of it, with its other keys",
        )
    if fate is TokenFate.REJECTED:
        return Finding.broken(f"the provider rejected that set's {token} at {when(at)}")
    if fate is TokenFate.REDEEMED:
        return Finding.broken(f"that set's {token} was redeemed at {when(at)}, and the tokens that it brought are gone")
    return _judge_unresolved(snapshot, policy, token, at)


def _judge_unresolved(snapshot: Snapshot, policy: Policy, token: str, since: datetime) -> Finding:
    grace = snapshot.counted_grace(policy)
    perhaps = f"{token} may have been redeemed (no response is recorded) at {when(since)}"
    if may_be_sent_again(since, snapshot.now, grace):
        return Finding.healthy(f"its {perhaps}; the provider accepts it again until {when(since + grace)}")
    return Finding.broken(
        f"that set's {perhaps}, and the provider's grace period ({span(grace)}) is over: sent again, it would be "
        "rejected or cost the grant",
    )


def _store(context: Context, value: SecretValue) -> str:
    store = context.store()
    replaced = store.read(label=CURRENT)  # Now, not from `past`: the question may have waited long.
    with finishing("The token set is stored first."):
        new = store_version(store, value)
    old = None if replaced is None else f"{replaced.version_id}, now {PREVIOUS}"
    output().print(text("Restored.", "bold green"))
    output().print(fields_table([("current version", new), ("replaced", old)]))
    return new
