"""Bring the published copy up to a token set that a command has just made current."""

from token_refresh.errors import TokenRefreshError
from token_refresh_worker.cli.context import Context
from token_refresh_worker.cli.screen import errors, message, output, show, text
from token_refresh_worker.core.versions import CURRENT, OUTCOME, published_version_id
from token_refresh_worker.run.settings import Settings
from token_refresh_worker.stored.document import TokenDocument
from token_refresh_worker.stored.published import published_document


def publish(context: Context, settings: Settings, version_id: str, document: TokenDocument) -> None:
    """Publish the token set and say so; a failure is said, too, since the tokens themselves are stored."""
    published = settings.published_secret_id
    if published is None or document.access_token is None or document.expires_at is None:
        return
    try:
        moved = _publish(context, published, version_id, document)
    except TokenRefreshError as failure:
        context.complete(failure)
        old = f"The next run publishes: secret {published} still has the older access token. "
        show(errors(), *message(old, *failure.parts))
        return
    done = f"Published: secret {published} has the new access token."
    output().print(text(done if moved else f"Secret {published} changed meanwhile: the next run publishes."))


def _publish(context: Context, published: str, version_id: str, document: TokenDocument) -> bool:
    """Publish as a run does, by compare-and-swap."""
    store, copy = context.store(published, setting="PUBLISHED_SECRET_ID"), published_version_id(version_id)
    replaced = store.read(label=CURRENT)
    store.put(copy, published_document(document, version_id), label=OUTCOME)
    return store.move_label(CURRENT, to=copy, remove_from=replaced.version_id if replaced else None)
