"""Ask about what a secret's tags name without a proof."""

from collections.abc import Mapping
from dataclasses import replace

from token_refresh_worker.cli.console.prompts import confirm
from token_refresh_worker.cli.console.screen import errors, message, show
from token_refresh_worker.cli.context import Context
from token_refresh_worker.cli.deployment import PUBLISHED, TABLE
from token_refresh_worker.stored.origin import read_origin


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
        return replace(context, environment={**context.environment, **doubtful})
    command = context.command(context.name, "--function", "NAME")
    show(errors(), *message(f"{tagged} They are left alone. With the settings of the deployed function: ", command))
    return context
