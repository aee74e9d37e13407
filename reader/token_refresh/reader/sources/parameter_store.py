"""Parameters of AWS Systems Manager Parameter Store, and the secrets that Amplify keeps there."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from token_refresh.advice import Advice
from token_refresh.aws.causes import Cause, FailedCall
from token_refresh.aws.errors import named_error
from token_refresh.aws.request import AwsRequest
from token_refresh.aws.responses import member, time_member
from token_refresh.errors import ConfigurationError
from token_refresh.reader.reference import Reference
from token_refresh.reader.sources.service import AwsService
from token_refresh.reader.sources.source import Version

# How many parameters one `GetParameters` may ask for.
BATCH_SIZE: Final = 10

AMPLIFY_VARIABLE: Final = "AMPLIFY_SSM_ENV_CONFIG"

Paths = Callable[[Reference], tuple[str, ...]]


def own_path(reference: Reference) -> tuple[str, ...]:
    """Give the path of an `ssm:` reference."""
    return (reference.name,)


def amplify_paths(reference: Reference) -> tuple[str, ...]:
    """Give the paths of an `amplify:` reference, the function's own before the shared one.

    Raises:
        ConfigurationError: Amplify has not set the paths for this name.
    """
    try:
        configured = json.loads(os.environ.get(AMPLIFY_VARIABLE, "{}"))
        found = configured[reference.name]
        paths = tuple(found[key] for key in ("path", "sharedPath") if found.get(key))
    # Whatever Amplify may have put there, the error below names the variable.
    except (ValueError, KeyError, TypeError, AttributeError):
        paths = ()
    if not paths or not all(isinstance(path, str) for path in paths):
        raise ConfigurationError(
            f"{reference.text}: {AMPLIFY_VARIABLE} has no path for {reference.name}. Give the function the secret with "
            f"addEnvironment('{reference.name}', secret('{reference.name}')); outside Lambda, read it with "
            "amplify_sandbox(...) or amplify_branch(...)"
        )
    return paths


class ParameterStore:
    """Implements `Source`; the first of a reference's paths that has a parameter counts."""

    def __init__(self, client: Any, region: str | None, *, paths: Paths) -> None:
        self._service = AwsService("ssm", client=client, region=region)
        self._paths = paths

    def read(self, reference: Reference) -> Version:
        """Read the newest version."""
        return self.read_all((reference,))[reference.text]

    def read_all(self, references: tuple[Reference, ...]) -> dict[str, Version]:
        """Read the newest versions, up to ten parameters with one call."""
        paths = {reference: self._paths(reference) for reference in references}
        # Each path once: several secrets of Amplify may share one.
        wanted = list(dict.fromkeys(path for each in paths.values() for path in each))
        found: dict[str, _Parameter] = {}
        for start in range(0, len(wanted), BATCH_SIZE):
            found |= self._get(wanted[start : start + BATCH_SIZE])
        return {reference.text: self._first(reference, paths[reference], found) for reference in references}

    def read_previous(self, reference: Reference) -> None:
        """Give nothing: a parameter has no label for the previous version. Use a list in a `field`."""
        del reference

    def place_of(self, reference: Reference) -> str:
        """Name a parameter in messages."""
        return self._request(reference, self._paths(reference)).place

    def how_to_get_one(self, reference: Reference) -> Advice:
        """Say where a token comes from."""
        del reference
        return ("the owner of this parameter has to store one",)

    def _get(self, paths: list[str]) -> dict[str, "_Parameter"]:
        def ask(client: Any) -> dict[str, _Parameter]:
            # Not GetParameter: Amplify grants ssm:GetParameters alone.
            response = client.get_parameters(Names=paths, WithDecryption=True)
            return {member(found, "Name", str): _parameter(found) for found in member(response, "Parameters", list)}

        def request() -> AwsRequest:
            region = self._service.region_of(paths[0])
            return AwsRequest(action="ssm:GetParameters", name=", ".join(paths), region=region, kind="parameter")

        return self._service.call(paths[0], request, ask)

    def _first(self, reference: Reference, paths: tuple[str, ...], found: dict[str, "_Parameter"]) -> Version:
        request = self._request(reference, paths)
        parameter = next((found[path] for path in paths if path in found), None)
        if parameter is None:
            raise named_error(FailedCall(cause=Cause.NOT_FOUND, code="InvalidParameters"), request)
        return Version(
            reference=reference,
            place=request.place,
            action=request.action,
            version_id=parameter.version_id,
            created_at=parameter.created_at,
            content=parameter.content,
        )

    def _request(self, reference: Reference, paths: tuple[str, ...]) -> AwsRequest:
        return AwsRequest(
            action="ssm:GetParameters",
            name=paths[0],
            region=self._service.region_of(reference.name),
            kind="parameter",
            reference=None if paths[0] == reference.name else reference.text,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parameter:
    version_id: str
    created_at: datetime
    content: str = field(repr=False)


def _parameter(found: Any) -> _Parameter:
    return _Parameter(
        version_id=str(member(found, "Version", int)),
        created_at=time_member(found, "LastModifiedDate"),
        content=member(found, "Value", str),
    )
