"""Which source reads a reference."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final, assert_never

from token_refresh.aws.arn import arn_region
from token_refresh.errors import ConfigurationError
from token_refresh.reader.runtime import in_lambda
from token_refresh.reference import Reference, ReferenceScheme

if TYPE_CHECKING:
    from token_refresh.aws.request import AskedBy
    from token_refresh.reader.sources.source import Source

_SERVICES: Final = {
    ReferenceScheme.SECRET: "secretsmanager",
    ReferenceScheme.PARAMETER: "ssm",
    ReferenceScheme.AMPLIFY: "ssm",
}


def open_sources(
    references: Iterable[Reference],
    *,
    client: Any,
    region: str | None,
    asked_by: "AskedBy" = "SecretReader",
) -> dict[ReferenceScheme, "Source"]:
    """Make one source for each scheme: with the caller's client where it is of its service, else in this region."""
    references = tuple(references)
    for reference in references:
        if reference.scheme.is_local and in_lambda():
            raise ConfigurationError(
                f"{reference.text} is for local development and is refused in Lambda: store the secret in Secrets "
                "Manager and give its name, or use ssm: or amplify:"
            )
        if region is not None and arn_region(reference.name) not in {None, region}:
            raise ConfigurationError(f"region is {region}, and {reference.text} is in another region: leave region out")
    schemes = {reference.scheme for reference in references}
    given = _service_of(client)
    # Ignoring it would read with other credentials than the caller meant.
    if given is not None and given not in {_SERVICES.get(scheme) for scheme in schemes}:
        raise ConfigurationError(f"the given client is for {given}, and no reference is read from there")
    return {
        scheme: _open(scheme, client if given in {None, _SERVICES.get(scheme)} else None, region, asked_by)
        for scheme in schemes
    }


def _service_of(client: Any) -> str | None:
    """Name the service of a client; None if there is no client, or a stub that does not say."""
    # Tests of services pass a Mock, whose attributes are Mocks as well.
    model = None if client is None else getattr(client.meta, "service_model", None)
    name = getattr(model, "service_name", None)
    return name if isinstance(name, str) else None


def _open(scheme: ReferenceScheme, client: Any, region: str | None, asked_by: "AskedBy") -> "Source":
    # A process reads one kind of reference, as a rule: it loads the module of that kind, and saves 3 ms of another.
    match scheme:
        case ReferenceScheme.SECRET:
            from token_refresh.reader.sources.secrets_manager import SecretsManager  # noqa: PLC0415 - see above

            return SecretsManager(client, region, asked_by)
        case ReferenceScheme.PARAMETER | ReferenceScheme.AMPLIFY:
            from token_refresh.reader.sources.parameter_store import ParameterStore  # noqa: PLC0415 - see above

            return ParameterStore(client, region)
        case ReferenceScheme.ENVIRONMENT | ReferenceScheme.FILE:
            from token_refresh.reader.sources.local import Local  # noqa: PLC0415 - see above

            return Local()
    assert_never(scheme)
