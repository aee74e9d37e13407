"""Where a run finds its client credentials."""

from collections.abc import Callable
from functools import partial

from token_refresh.errors import ConfigurationError, InvalidSecretDocument, TokenRefreshError
from token_refresh.stored.json_object import located, read_object
from token_refresh.stored.spelling import SNAKE
from token_refresh_worker.core.versions import CURRENT, PREVIOUS
from token_refresh_worker.run.ports import SecretStore, SecretVersion
from token_refresh_worker.run.settings import DEFAULT_PROVIDER, Settings
from token_refresh_worker.stored.credentials import ClientCredentials, read_credentials
from token_refresh_worker.stored.document import TokenDocument


def find_credentials(
    document: TokenDocument, *, settings: Settings, secret: Callable[[str], SecretStore]
) -> ClientCredentials:
    """Find the client credentials: in the client secret, or else beside the tokens, or else in the environment."""
    if settings.client_secret_id is not None:
        field = settings.client_secret_field
        where = f"secret {settings.client_secret_id} (CLIENT_SECRET_ID)"
        found = _stored_credentials(secret(settings.client_secret_id).read(label=CURRENT), where, field)
        if found is None:
            raise InvalidSecretDocument(
                f"{where} has no clientId{f' in field {field}' if field else ''}; it must be a JSON object with "
                "clientId and clientSecret"
            )
        return found
    where = f"secret {settings.token_secret_id} (TOKEN_SECRET_ID)"
    found = located(partial(read_credentials, document.fields), where) or settings.client
    if found is None:
        keys = "client_id and client_secret" if document.spelling is SNAKE else "clientId and clientSecret"
        is_default = settings.provider.name == DEFAULT_PROVIDER
        environment = " UPWORK_CLIENT_ID and UPWORK_CLIENT_SECRET in the environment;" if is_default else ""
        raise ConfigurationError(
            f"no client credentials were found. Looked for {keys} in {where};{environment} a secret that "
            "CLIENT_SECRET_ID names (it is not set)"
        )
    return found


def previous_credentials(
    current: ClientCredentials, *, settings: Settings, secret: Callable[[str], SecretStore]
) -> ClientCredentials | None:
    """Find the client's secret from before its rotation; None where there is no other."""
    if settings.client_secret_id is None:
        return None
    try:
        version = secret(settings.client_secret_id).read(label=PREVIOUS)
        found = _stored_credentials(version, settings.client_secret_id, settings.client_secret_field)
    except TokenRefreshError:
        return None  # What counts is that the current ones were rejected.
    # With another client's credentials the provider would reject the token: a good grant would look dead.
    rotated = found is not None and found.client_id == current.client_id and found.client_secret is not None
    return found if rotated and found != current else None


def _stored_credentials(version: SecretVersion | None, where: str, field: str | None) -> ClientCredentials | None:
    if version is None:
        return None
    value = version.value
    if value is None:
        raise InvalidSecretDocument(f"{where} is binary; it must be a JSON object with clientId and clientSecret")
    return located(lambda: read_credentials(read_object(value, field=field)), where)
