"""AWS beyond the two secrets that a run reads: the listing of versions, and the services that `doctor` asks."""

import os
from collections.abc import Callable
from typing import Any, Final

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from token_refresh.aws.errors import translate
from token_refresh.bootstrap import secrets_manager_client
from token_refresh.errors import ConfigurationError

_PATIENT: Final = Config(connect_timeout=3, read_timeout=10, retries={"total_max_attempts": 3, "mode": "standard"})
FUNCTION_CONFIG: Final = Config(
    # As long as a function may run, and once: a repeat would be a second run.
    connect_timeout=3,
    read_timeout=910,
    retries={"total_max_attempts": 1, "mode": "standard"},
)


def client(service: str, config: Config = _PATIENT) -> Any:
    """Give a client of a service, for the AWS configuration of this moment.

    Raises:
        ConfigurationError: There is no AWS region, or the configuration can't be read.
    """
    region = os.environ.get("AWS_REGION")
    try:
        return botocore.session.get_session().create_client(service, region_name=region, config=config)
    except (BotoCoreError, ValueError) as error:
        raise ConfigurationError(
            f"the AWS configuration can't be used ({type(error).__name__}); give --region, and check --profile"
        ) from None


def region_name() -> str:
    """Give the region that the secrets are looked for in.

    Raises:
        ConfigurationError: There is none.
    """
    return str(secrets_manager_client().meta.region_name)


def ask_secrets_manager(action: str, secret_id: str, **what: Any) -> dict[str, Any]:
    """Carry out one action of Secrets Manager on one secret, with its refusal as a named error.

    Args:
        action: As IAM and the API reference name it.
        secret_id: The secret's name or ARN.
        what: Members of the request beside `SecretId`.

    Raises:
        SecretStoreError: It was refused, or Secrets Manager can't be reached.
    """
    service = client("secretsmanager")
    named = {"Name" if action == "CreateSecret" else "SecretId": secret_id}
    try:
        answer: dict[str, Any] = _method(service, action)(**named, **what)
    except (ClientError, BotoCoreError) as error:
        raise translate(error, action=action, secret_id=secret_id, region=service.meta.region_name) from None
    return answer


def _method(service: Any, action: str) -> Callable[..., Any]:
    names: dict[str, str] = service.meta.method_to_api_mapping
    found: Callable[..., Any] = next(getattr(service, name) for name, api in names.items() if api == action)
    return found
