"""Which settings apply to a token document: those of its deployment, else the shell's, with what the document names."""

from collections.abc import Mapping
from dataclasses import replace

from token_refresh.errors import ConfigurationError
from token_refresh_admin.changes.change import settings_in
from token_refresh_admin.cli.context import Context
from token_refresh_worker.providers.provider import Provider
from token_refresh_worker.providers.variables import provider_named_in
from token_refresh_worker.run.settings import Settings
from token_refresh_worker.stored.origin import ORIGIN_KEY


def settings_for(context: Context, fields: Mapping[str, object]) -> Settings:
    """Return the settings that apply to a token document, with its variables in the provider's endpoint."""
    settings = _settings_for(context, fields)
    return replace(settings, provider=settings.provider.for_document(fields))


def template_for(context: Context, fields: Mapping[str, object]) -> Provider:
    """Return the provider of a token document, before the document's variables are filled in."""
    return _settings_for(context, fields).provider


def settings_of(context: Context, fields: Mapping[str, object]) -> Settings:
    """Return the settings for a token set; those of another provider don't keep an operator from looking back."""
    try:
        return settings_for(context, fields)
    except ConfigurationError:
        return context.settings()


def _settings_for(context: Context, fields: Mapping[str, object]) -> Settings:
    """Read the settings with what the document names; in a fleet its documents go before the worker's provider."""
    given, is_deployed = context.environment, context.source.function is not None
    named = settings_in(given, fields, lambda: context.secret, is_deployed=is_deployed)
    default = None if given.get("PROVIDER") else context.source.provider
    settings = context.settings(**({"PROVIDER": default} if default else {}) | named)
    _check_provider(context, fields, settings)
    return settings


def _check_provider(context: Context, fields: Mapping[str, object], settings: Settings) -> None:
    """Refuse settings of another provider than the document's."""
    theirs, ours = provider_named_in(fields), settings.provider.name
    if theirs in {None, ours}:
        return
    # Without the options that may have named the wrong provider.
    plain = context.without("--provider", "--function")
    use = "To use the secret's provider: ", plain.command("status", "--provider", str(theirs)), ". "
    raise ConfigurationError(
        f"the tokens of secret {context.secret_id} in {context.region} belong to the provider {theirs}, and the "
        f"settings say {ours} (PROVIDER); nothing was sent",
        fix=(
            *(() if context.source.function else use),
            *("If those tokens were saved by mistake, bring the last good ones back: ", plain.command("restore")),
            *(f". To get tokens of {ours} instead: ", plain.command("authorize", "--provider", ours)),
        ),
    )


def names_provider(context: Context, fields: Mapping[str, object]) -> bool:
    """Whether the settings or the document name the provider, and Upwork is not just the default."""
    if context.source.function is not None:
        return True
    # `tokenRefresh` names the host that issued the tokens, and no other host gets them.
    named = any(context.environment.get(name) for name in ("PROVIDER", "TOKEN_ENDPOINT"))
    return named or bool(provider_named_in(fields) or fields.get(ORIGIN_KEY))
