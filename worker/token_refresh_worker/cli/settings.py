"""Which settings apply to a secret: the operator's or the function's, else what its document and its tags name."""

from collections.abc import Mapping
from dataclasses import replace

from token_refresh.errors import ConfigurationError
from token_refresh_worker.changes.change import PROVIDER_KEY, claim_table_of, named_provider
from token_refresh_worker.cli.context import Context
from token_refresh_worker.cli.deployment import PUBLISHED, TABLE
from token_refresh_worker.cli.prompts import confirm
from token_refresh_worker.cli.screen import errors, message, show
from token_refresh_worker.providers.loader import own_profiles, profile_names
from token_refresh_worker.run.settings import Settings
from token_refresh_worker.stored.origin import read_origin


def settings_for(context: Context, fields: Mapping[str, object]) -> Settings:
    """Give the settings that apply to a token document, with its variables in the provider's endpoint."""
    settings = context.settings(**provider_variable(context, fields), **_claim_table_variable(context, fields))
    _check_provider(context, fields, settings)
    return replace(settings, provider=settings.provider.for_document(fields))


def settings_of(context: Context, fields: Mapping[str, object]) -> Settings:
    """Give the settings for a token set; those of another provider don't keep an operator from looking back."""
    try:
        return settings_for(context, fields)
    except ConfigurationError:
        return context.settings()


def _claim_table_variable(context: Context, fields: Mapping[str, object]) -> dict[str, str]:
    """Give CLAIM_TABLE as the document names it, unless the settings or the deployment say something else."""
    table, deployment = claim_table_of(fields), context.deployment
    if table is None or context.function is not None or context.environment.get("CLAIM_TABLE"):
        return {}
    fits = not deployment.is_named or deployment.doubtful.get("CLAIM_TABLE") == table
    return {"CLAIM_TABLE": table} if fits else {}


def _check_provider(context: Context, fields: Mapping[str, object], settings: Settings) -> None:
    """Refuse settings of another provider than the document's."""
    theirs, ours = fields.get(PROVIDER_KEY), settings.provider.name
    if theirs in (None, "", ours) or theirs not in profile_names(own_profiles(context.environment)):
        return
    # Without the options that may have named the wrong provider.
    plain = context.without("--provider", "--function")
    raise ConfigurationError(
        f"the tokens of secret {context.secret_id} in {context.region} belong to the provider {theirs}, and the "
        f"settings say {ours} (PROVIDER); nothing was sent",
        fix=(
            *("Act on its own provider: ", plain.command("status", "--provider", str(theirs))),
            *(f"; or get tokens of {ours} instead: ", plain.command("authorize", "--provider", ours)),
        ),
    )


def names_provider(context: Context, fields: Mapping[str, object]) -> bool:
    """Whether the settings or the document name the provider, and Upwork is not just the default."""
    # `tokenRefresh` names the host that issued the tokens, and no other host gets them.
    return any(context.environment.get(name) for name in ("PROVIDER", "TOKEN_ENDPOINT")) or any(
        fields.get(name) for name in (PROVIDER_KEY, "tokenRefresh")
    )


def provider_variable(context: Context, fields: Mapping[str, object]) -> dict[str, str]:
    """Give PROVIDER as the document names it, if the settings don't."""
    with context.completing():
        return named_provider(context.environment, fields, lambda: context.secret)


def take_word(context: Context, fields: Mapping[str, object], *, ask: bool) -> Context:
    """Give the context with what tags name without a proof, if the operator says so; without a question, without it.

    Raises:
        Cancelled: The operator said no.
    """
    doubtful = dict(context.deployment.doubtful)
    if read_origin(fields) is not None:
        doubtful.pop(TABLE, None)  # The document knows better.
    if not doubtful:
        return context
    words = {PUBLISHED: "the published secret {}", TABLE: "the claim table {}"}
    named = " and ".join(words[name].format(value) for name, value in doubtful.items())
    tagged = f"The tags of secret {context.secret_id} name {named}, and nothing proves that they are of one deployment."
    if ask:
        confirm(f"{tagged} Act on them? (--yes goes on without them)")
        return context.overlaid(doubtful)
    command = context.command(context.name, "--function", context.function_name)
    show(errors(), *message(f"{tagged} They are left alone. With the settings of the deployed function: ", command))
    return context
