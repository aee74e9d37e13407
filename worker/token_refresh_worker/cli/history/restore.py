"""`token-refresh restore`: bring an older token set back, also if something else was saved over it."""

from dataclasses import replace
from typing import Annotated

import typer

from token_refresh.advice import Advice
from token_refresh.secret_value import SecretValue
from token_refresh_worker.cli.console.failures import CommandFailed
from token_refresh_worker.cli.console.options import command
from token_refresh_worker.cli.console.prompts import confirm
from token_refresh_worker.cli.console.screen import errors, fields_table, message, output, show, span, text, when
from token_refresh_worker.cli.context import Context
from token_refresh_worker.cli.history.past import Past, TokenFate, read_past
from token_refresh_worker.cli.history.versions import Listed
from token_refresh_worker.cli.secret.clock import read_clock
from token_refresh_worker.cli.secret.storing import store_version, value_of
from token_refresh_worker.core.schedule import may_be_sent_again
from token_refresh_worker.core.steps import Mismatch
from token_refresh_worker.core.versions import CURRENT
from token_refresh_worker.run.failures import SecretName, mismatch
from token_refresh_worker.stored.document import TokenDocument
from token_refresh_worker.stored.origin import ORIGIN_KEY, ClaimStoreKind

PREVIOUS = "AWSPREVIOUS"


@command("token-refresh restore", "token-refresh restore --version 1b2c3d4e-...", "token-refresh restore --yes")
def restore(
    context: Context,
    *,
    version_id: Annotated[
        str | None,
        typer.Option(
            "--version", metavar="VERSION_ID", help="Which one; default the last good one.", show_default=False
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Restore without asking.")] = False,
) -> int:
    """Bring an older token set back, as a new version.

    It is refused if the provider would no longer accept the refresh token: authorize again instead.
    """
    past = read_past(context)
    _check_claims(context, past)
    chosen = _choose(context, past.versions, version_id)
    value = chosen.value.value if chosen.value else None
    if chosen.document is None or value is None:
        raise CommandFailed(f"version {chosen.version_id} holds no token set", fix=_alternatives(context))
    note = _explain(context, past, chosen.document)
    _show(chosen, chosen.document, note)
    if not yes:
        confirm("Make it current, as a new version?")
    _store(context, _with_claims_in(past.settings.policy.claim_store, chosen.document, value))
    return 0


def _check_claims(context: Context, past: Past) -> None:
    """Refuse to judge by the wrong claims: they say which refresh tokens were redeemed.

    Raises:
        ConfigurationError: The newest token set names another claim store than the settings.
    """
    configured = past.settings.policy.claim_store
    origins = (version.document.origin for version in past.versions if version.document)
    newest = next((origin for origin in origins if origin is not None), None)
    if newest is not None and newest.claim_store is not configured:
        secret = SecretName(secret_id=context.secret_id, region=context.region)
        with context.completing():
            raise mismatch(secret, Mismatch(setting="CLAIM_TABLE", stored=newest.claim_store, configured=configured))


def _with_claims_in(store: ClaimStoreKind, document: TokenDocument, value: SecretValue) -> SecretValue:
    """Let an older token set name the claim store of today: the claims were moved, and this version was not."""
    if document.origin is None:
        return value
    return value_of({**document.fields, ORIGIN_KEY: replace(document.origin, claim_store=store).as_fields()})


def _choose(context: Context, versions: list[Listed], wanted: str | None) -> Listed:
    """Choose the version: the one asked for (its first characters suffice), else the last good one.

    Raises:
        CommandFailed: There is no such version, or it is the current one.
    """
    candidates = [v for v in versions if v.kind.is_token_set and CURRENT not in v.labels]
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


def _explain(context: Context, past: Past, document: TokenDocument) -> str:
    """Say what happens to a restored set; refuse one whose refresh token is no longer of use.

    Raises:
        CommandFailed: Sent again, the refresh token would be rejected, or would cost the grant.
    """
    fate, at = past.fate_of_token(document)
    authorize = ("Get a new token set: ", context.command("authorize"))
    token = "refresh token" if document.refresh_token else "access token"
    if at is None:
        return f"no recorded run redeemed its {token}; if something else did, authorize again instead"
    if fate is TokenFate.REJECTED:
        raise CommandFailed(f"the provider rejected that set's {token} at {when(at)}", fix=authorize)
    configured = past.settings.policy.replay_grace
    grace = min(configured, document.origin.grace) if document.origin else configured
    redeemed = "was redeemed" if fate is TokenFate.REDEEMED else "may have been redeemed (the response is unknown)"
    if not may_be_sent_again(at, read_clock(context), grace):
        raise CommandFailed(
            f"that set's {token} {redeemed} at {when(at)}, and the provider's grace period ({span(grace)}) is "
            "over: sent again, it would be rejected or cost the grant",
            fix=authorize,
        )
    if fate is TokenFate.REDEEMED:
        return (
            f"its {token} {redeemed} at {when(at)} and will not be used again: the next run brings the tokens "
            "that were received then back on top of it, with its other keys"
        )
    return f"its {token} {redeemed} at {when(at)}; the provider accepts it again until {when(at + grace)}"


def _show(version: Listed, document: TokenDocument, note: str) -> None:
    expires = None if document.expires_at is None else when(document.expires_at)
    rows = [("version", version.version_id), ("stored", when(version.created_at)), ("expires", expires), ("note", note)]
    errors().print(fields_table(rows))


def _store(context: Context, value: SecretValue) -> None:
    store = context.store()
    replaced = store.read(label=CURRENT)  # Now, not from `past`: the question may have waited long.
    new = store_version(store, value)
    old = None if replaced is None else f"{replaced.version_id}, now {PREVIOUS}"
    output().print(text("Restored.", "bold green"))
    output().print(fields_table([("current version", new), ("replaced", old)]))
    show(output(), *message("Next: ", context.command("status")))
