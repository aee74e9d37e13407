"""`token-refresh revoke`: end a grant at its provider, for good, and leave what says so."""

from dataclasses import replace
from datetime import datetime
from typing import Annotated

import typer

from token_refresh.aws.arn import name_same_secret
from token_refresh_worker.bootstrap import SystemClock, build_run, revocation_sender
from token_refresh_worker.cli.command import command
from token_refresh_worker.cli.context import TIME_LIMIT_SECONDS, Context
from token_refresh_worker.cli.failures import CommandFailed, finishing
from token_refresh_worker.cli.lookups import read_clock, saying_where
from token_refresh_worker.cli.membership import find_index, fleet_of, report_revoked
from token_refresh_worker.cli.prompts import confirm
from token_refresh_worker.cli.revoke.revocation import SendRevocation, revoke_grant
from token_refresh_worker.cli.screen import fields_table, message, output, show, text, when
from token_refresh_worker.cli.secret.storing import document_of, fields_of
from token_refresh_worker.cli.settings import settings_for, take_word
from token_refresh_worker.core.versions import CURRENT, OUTCOME, published_version_id
from token_refresh_worker.fleet.ports import Index
from token_refresh_worker.oauth.formats import Grant
from token_refresh_worker.oauth.revocation import Revoked
from token_refresh_worker.providers.endpoint import host_of
from token_refresh_worker.providers.provider import Provider
from token_refresh_worker.run.events import Trigger
from token_refresh_worker.run.ports import SecretVersion
from token_refresh_worker.run.settings import Settings
from token_refresh_worker.stored.origin import read_origin
from token_refresh_worker.stored.published import revoked_document


@command("revoke", "my-app/prod/xero", "my-app/prod/xero --fleet prod --yes", "my-app/prod/asana --by-hand")
def revoke(
    context: Context,
    *,
    fleet: Annotated[str | None, typer.Option(help="The fleet that the secret is in.")] = None,
    by_hand: Annotated[
        bool, typer.Option("--by-hand", help="Send nothing: you have revoked the grant at the provider yourself.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Revoke without asking.")] = False,
) -> int:
    """Revoke the grant at its provider (RFC 7009), for off-boarding: its tokens work no more.

    The secret, its published copy and the fleet's row then say so, and no run sends anything until you authorize again.
    An interrupted revocation is completed by the same command.
    """
    index = find_index(context, fleet) if fleet else None
    if fleet:  # Its table has its name, and holds the claims.
        context = replace(context, environment={**context.environment, "CLAIM_TABLE": fleet})
    with saying_where(context):
        version = context.store().read(label=CURRENT)
        _check_fleet(context, fleet)
        context = take_word(context, fields_of(version), ask=not yes)
        settings, done = settings_for(context, fields_of(version)), _revoked(version)
        if done is None:
            send = _sender(context, settings, by_hand=by_hand)
            if not yes:
                confirm(_question(context, settings.provider, by_hand=by_hand))
            with finishing("The revocation ends first."):
                done = _revoke(context, settings, send)
        _publish(context, settings, *done)
        if index is not None:
            _report(context, index, settings, *done)
    _show(context, settings, *done)
    return 0


def _check_fleet(context: Context, fleet: str | None) -> None:
    """Refuse to leave out the fleet that the secret is in."""
    tagged = fleet_of(context)
    if tagged is not None and tagged != fleet:
        raise CommandFailed(
            f"secret {context.secret_id} is in fleet {tagged}, whose row has to say it, too; nothing was sent",
            fix=(context.command("revoke", "--fleet", tagged),),
        )


def _revoked(version: SecretVersion | None) -> tuple[str, datetime] | None:
    """Give the version that says since when the grant is revoked; None if it is not."""
    fields = fields_of(version)
    origin = read_origin(fields)
    if version is None or origin is None or origin.revoked_at is None or document_of(fields) is not None:
        return None
    return version.version_id, origin.revoked_at


def _sender(context: Context, settings: Settings, *, by_hand: bool) -> SendRevocation:
    """Give what sends the request to the profile's revocation endpoint.

    Raises:
        CommandFailed: The profile has none, or the provider has no grant.
    """
    provider = settings.provider
    if provider.request.grant is Grant.CLIENT_CREDENTIALS:
        raise CommandFailed(
            f"{provider.title} has no grant: a client gets tokens by its credentials alone; nothing was sent",
            fix="Delete the client, or its secret, in the provider's settings",
        )
    if by_hand:
        return lambda _: Revoked()
    if provider.revocation_endpoint:
        return revocation_sender(provider, client_key_id=settings.client_key_id, client=context.run_client)
    page = provider.authorization
    where = f"{provider.title} ({host_of(page.endpoint)})" if page and page.endpoint else provider.title
    raise CommandFailed(
        f"the profile {provider.name} has no revocation endpoint for {provider.host}; nothing was sent or stored",
        fix=(
            f"Sign in to {where} as who gave the grant, and disconnect this client there. Then let the secret say so: ",
            context.command("revoke", "--by-hand"),
        ),
    )


def _question(context: Context, provider: Provider, *, by_hand: bool) -> str:
    where = f"secret {context.secret_id} in {context.region}"
    if by_hand:
        return f"Remove the tokens from {where}, because you have revoked them at {provider.title}?"
    return f"Revoke the grant in {where} at {host_of(provider.revocation_endpoint)}? No token of it works after that."


def _revoke(context: Context, settings: Settings, send: SendRevocation) -> tuple[str, datetime]:
    run = build_run(
        settings,
        Trigger(name="cli"),
        clock=SystemClock(),
        log=_NoLog(),
        time_left_seconds=TIME_LIMIT_SECONDS,
        client=context.run_client,
    )
    return revoke_grant(run, send)


def _publish(context: Context, settings: Settings, version_id: str, revoked_at: datetime) -> None:
    """Let the published copy say it, by compare-and-swap."""
    name = settings.published_secret_id
    if name is None or name_same_secret(name, context.secret_id):
        return
    copy, published = context.store(name, setting="PUBLISHED_SECRET_ID"), published_version_id(version_id)
    before = copy.read(label=CURRENT)
    if before is not None and before.version_id == published:
        return
    copy.put(published, revoked_document(revoked_at, version_id), label=OUTCOME)
    if not copy.move_label(CURRENT, to=published, remove_from=before.version_id if before else None):
        raise CommandFailed(
            f"the grant is revoked, and a run published to secret {name} meanwhile",
            fix=("Let the copy say it, too: ", context.command("revoke")),
        )


def _report(context: Context, index: Index, settings: Settings, version_id: str, revoked_at: datetime) -> None:
    at = max(revoked_at, read_clock(context))
    if not report_revoked(context, index, at=at, provider=settings.provider.name, version_id=version_id):
        output().print(text("The fleet has no row of it, or a run has reported later; its next run reports it."))


def _show(context: Context, settings: Settings, version_id: str, revoked_at: datetime) -> None:
    output().print(text("Revoked: the secret holds no tokens.", "bold green"))
    output().print(
        fields_table(
            [
                ("secret", context.secret_id),
                ("region", context.region),
                ("provider", f"{settings.provider.title} ({settings.provider.host})"),
                ("version", version_id),
                ("revoked", when(revoked_at)),
                ("published copy", settings.published_secret_id),
            ]
        )
    )
    show(output(), *message("Runs send nothing. To see it: ", context.command("status")))


class _NoLog:
    """The log of a command that says itself what it did."""

    def info(self, event: str, **fields: object) -> None:
        """Say nothing."""

    def warning(self, event: str, **fields: object) -> None:
        """Say nothing."""
