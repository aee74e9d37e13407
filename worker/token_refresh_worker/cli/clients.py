"""AWS clients from the variables of an environment, and what to do if those can't be used."""

import functools
import threading
from typing import Any, Final

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, NoRegionError, ProfileNotFound

from token_refresh.errors import ConfigurationError

_REGION: Final = ("AWS_REGION", "AWS_DEFAULT_REGION")
_ONE_CLIENT_AT_A_TIME: Final = threading.Lock()
"""A session is not safe under threads; its clients are."""


@functools.lru_cache(maxsize=1)
def _session(profile: str | None, aws: tuple[tuple[str, str], ...]) -> botocore.session.Session:
    """Give one session for the same AWS variables: reading AWS's data takes 40 times longer than making a client."""
    del aws
    return botocore.session.Session(profile=profile)


@functools.lru_cache(maxsize=16)
def make_client(service: str, config: Config, aws: tuple[tuple[str, str], ...]) -> Any:
    """Give a client of an AWS service; the same one for the same AWS variables.

    Raises:
        ConfigurationError: No region is set, or the AWS configuration can't be used.
    """
    given = dict(aws)
    # An explicit profile makes botocore ignore the credentials in the process's environment.
    profile = None if given.get("AWS_ACCESS_KEY_ID") else given.get("AWS_PROFILE")
    try:
        with _ONE_CLIENT_AT_A_TIME:
            session = _session(profile, tuple(pair for pair in aws if pair[0] not in _REGION))
            region = next((given[name] for name in _REGION if name in given), session.get_config_variable("region"))
            if not region:  # botocore takes an empty variable for a region.
                raise NoRegionError  # noqa: TRY301 - the message is one
            return session.create_client(
                service,
                region_name=region,
                # botocore looks for it in the process's environment, which `--endpoint-url` does not change.
                endpoint_url=given.get("AWS_ENDPOINT_URL_SECRETS_MANAGER") if service == "secretsmanager" else None,
                config=config,
            )
    except ProfileNotFound:
        raise ConfigurationError(
            f"there is no AWS profile {given.get('AWS_PROFILE')}. List them: `aws configure list-profiles`"
        ) from None
    except NoRegionError:
        raise ConfigurationError("no AWS region is set; give --region, or set AWS_REGION") from None
    except (BotoCoreError, ValueError) as error:  # ValueError: an endpoint without a scheme, or a malformed region.
        why = "a region or an endpoint URL is malformed" if isinstance(error, ValueError) else type(error).__name__
        raise ConfigurationError(
            f"the AWS configuration can't be used ({why}); check --region, --profile and --endpoint-url, and the "
            "variables and files that stand for them"
        ) from None
