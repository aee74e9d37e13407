"""`token-refresh revoke`: end a grant at its provider, and leave what says so."""

from contextlib import suppress
from typing import Annotated

import typer

from token_refresh.aws.arn import name_same_secret
from token_refresh.errors import InvalidSecretDocument, SecretNotFound
from token_refresh_admin.changes.publish import PublishedCopyBeforeChange
from token_refresh_admin.changes.revoke import SendRevocation, revoke_grant
from token_refresh_admin.cli.command import command
from token_refresh_admin.cli.context import Context
from token_refresh_admin.cli.failures import CommandFailed, finishing
from token_refresh_admin.cli.lookups import read_clock
from token_refresh_admin.cli.membership import own_index, report_revoked
from token_refresh_admin.cli.prompts import confirm
from token_refresh_admin.cli.screen import note, say, say_done
from token_refresh_worker.bootstrap import revocation_sender
from token_refresh_worker.core.snapshot import TokenSet
from token_refresh_worker.core.versions import CURRENT
from token_refresh_worker.oauth.formats import Grant
from token_refresh_worker.providers.endpoint import host_of
from token_refresh_worker.providers.provider import Provider
from token_refresh_worker.run.failures import utc
from token_refresh_worker.run.ports import SecretVersion
from token_refresh_worker.run.settings import Settings
from token_refresh_worker.stored.document import read_document


@command("revoke", "my-app/prod/xero", "my-app/prod/xero --yes", "my-app/prod/asana --by-hand", writes=True)
def revoke(
    context: Context,
    *,
    by_hand: Annotated[
        bool, typer.Option("--by-hand", help="Send nothing: you have revoked the grant at the provider yourself.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Revoke without asking.")] = False,
) -> int:
    """Revoke the grant at its provider (RFC 7009), for off-boarding.

    Until you authorize again, no run sends anything for this secret. If it is interrupted, run it again.
    """
    index = own_index(context)
    fields = context.stored()
    settings = context.settings_for(fields)
    copy = _copy(context, settings)
    done = _revoked(context.store().read(label=CURRENT))
    if done is None:
        send = _sender(context, settings, by_hand=by_hand)
        if settings.provider.revocation.note and not by_hand:
            note(settings.provider.revocation.note, head=("warning: ", "yellow"))
        if not yes:
            confirm(_question(context, settings.provider, by_hand=by_hand))
        with finishing("The revocation ends first."):
            done = revoke_grant(context.run(settings), send)
    if copy.replace(done.document, done.version_id) is False:
        raise CommandFailed(
            f"the grant is revoked, and a run published to secret {settings.published_secret_id} meanwhile",
            fix=("Update the copy, too: ", context.command("revoke")),
        )
    if index is not None:
        at = max(done.document.revoked_at or done.stored_at, read_clock(context))
        if not report_revoked(context, index, at=at, provider=settings.provider.name, version_id=done.version_id):
            say("The fleet's table doesn't show it yet; the next run reports it.")
    say_done(
        "Revoked: the secret holds no tokens.",
        ("secret", context.secret_id),
        ("region", context.region),
        ("provider", f"{settings.provider.title} ({settings.provider.host})"),
        ("version", done.version_id),
        ("revoked", utc(done.document.revoked_at or done.stored_at)),
        ("published copy", settings.published_secret_id),
        then=("Runs send nothing. To see it: ", context.command("status")),
    )
    return 0


def _copy(context: Context, settings: Settings) -> PublishedCopyBeforeChange:
    """Read the published copy before the secret: a run may publish after that."""
    name = settings.published_secret_id
    if name is None or name_same_secret(name, context.secret_id):
        return PublishedCopyBeforeChange(store=None)
    copy = PublishedCopyBeforeChange.read(context.store(name, setting="PUBLISHED_SECRET_ID"))
    # Nobody reads a copy that is not there. One that is marked for deletion can come back.
    is_gone = isinstance(copy.failure, SecretNotFound) and not copy.failure.is_deleted
    return PublishedCopyBeforeChange(store=None) if is_gone else copy


def _revoked(version: SecretVersion | None) -> TokenSet | None:
    """Return the version that says since when the grant is revoked; None if it is not."""
    with suppress(InvalidSecretDocument):
        # A revoked one is complete without tokens, whatever its provider needs.
        document = read_document(version.value, needs_refresh_token=True) if version and version.value else None
        if version and document and document.revoked_at is not None:
            return TokenSet(version_id=version.version_id, stored_at=version.created_at, document=document)
    return None


def _sender(context: Context, settings: Settings, *, by_hand: bool) -> SendRevocation:
    provider = settings.provider
    if provider.request.grant is Grant.CLIENT_CREDENTIALS:
        raise CommandFailed(
            f"{provider.title} has no grant: a client gets tokens by its credentials alone; nothing was sent",
            fix="Delete the client, or its secret, in the provider's settings",
        )
    if by_hand:
        return lambda _: None
    if provider.revocation_endpoint:
        return revocation_sender(provider, client_key_id=settings.client_key_id, client=context.run_client)
    page = provider.authorization
    is_filled_in = page and page.endpoint and "{" not in page.endpoint
    where = f"{provider.title} ({host_of(page.endpoint) if page and is_filled_in else provider.host})"
    note = f"{provider.revocation.note}. Or sign in" if provider.revocation.note else "Sign in"
    raise CommandFailed(
        f"the profile {provider.name} has no revocation endpoint for {provider.host}; nothing was sent or stored",
        fix=(
            f"{note} to {where} as the user who gave the grant, and disconnect this client. Then remove its tokens: ",
            context.again("--by-hand"),
        ),
    )


def _question(context: Context, provider: Provider, *, by_hand: bool) -> str:
    where = f"secret {context.secret_id} in {context.region}"
    if by_hand:
        return f"Remove the tokens from {where}, because you have revoked them at {provider.title}?"
    return f"Revoke the grant in {where} at {host_of(provider.revocation_endpoint)}? No token of it works after that."
