"""Which settings apply to a token document: those of its deployment, else the shell's, with what the document names."""

from collections.abc import Mapping
from dataclasses import replace

from token_refresh.errors import ConfigurationError
from token_refresh_admin.changes.change import PROVIDER_KEY, claim_table_of, named_provider
from token_refresh_admin.cli.context import Context
from token_refresh_worker.run.settings import Settings


def settings_for(context: Context, fields: Mapping[str, object]) -> Settings:
    """Return the settings that apply to a token document, with its variables in the provider's endpoint."""
    settings = context.settings(**provider_variable(context, fields), **_claim_table_variable(context, fields))
    _check_provider(context, fields, settings)
    return replace(settings, provider=settings.provider.for_document(fields))


def settings_of(context: Context, fields: Mapping[str, object]) -> Settings:
    """Return the settings for a token set; those of another provider don't keep an operator from looking back."""
    try:
        return settings_for(context, fields)
    except ConfigurationError:
        return context.settings()


def _claim_table_variable(context: Context, fields: Mapping[str, object]) -> dict[str, str]:
    """Return CLAIM_TABLE as the document names it, where no deployment and no variable says something else."""
    table = claim_table_of(fields)
    known = table is None or context.source.function is not None or context.environment.get("CLAIM_TABLE")
    return {} if known else {"CLAIM_TABLE": str(table)}


def _check_provider(context: Context, fields: Mapping[str, object], settings: Settings) -> None:
    """Refuse settings of another provider than the document's."""
    theirs, ours = fields.get(PROVIDER_KEY), settings.provider.name
    if theirs in (None, "", ours):
        return
    # Without the options that may have named the wrong provider.
    plain = context.without("--provider", "--function")
    raise ConfigurationError(
        f"the tokens of secret {context.secret_id} in {context.region} belong to the provider {theirs}, and the "
        f"settings say {ours} (PROVIDER); nothing was sent",
        fix=(
            *("To use the secret's provider: ", plain.command("status", "--provider", str(theirs))),
            *(f"; or get tokens of {ours} instead: ", plain.command("authorize", "--provider", ours)),
        ),
    )


def names_provider(context: Context, fields: Mapping[str, object]) -> bool:
    """Whether the settings or the document name the provider, and Upwork is not just the default."""
    if context.source.function is not None:
        return True
    # `tokenRefresh` names the host that issued the tokens, and no other host gets them.
    return any(context.environment.get(name) for name in ("PROVIDER", "TOKEN_ENDPOINT")) or any(
        fields.get(name) for name in (PROVIDER_KEY, "tokenRefresh")
    )


def provider_variable(context: Context, fields: Mapping[str, object]) -> dict[str, str]:
    """Return PROVIDER as the document names it, if the settings don't; in a fleet the document goes first."""
    named = named_provider(context.environment, fields, lambda: context.secret)
    default = None if context.environment.get("PROVIDER") else context.source.provider
    return named or ({"PROVIDER": default} if default else {})
