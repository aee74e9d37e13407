"""Parameters of AWS Systems Manager Parameter Store, and the secrets that Amplify keeps there."""

import json
import os
from typing import Any, Final

from token_refresh.aws.causes import Cause, FailedCall
from token_refresh.aws.errors import named_error
from token_refresh.aws.responses import member, time_member
from token_refresh.errors import ConfigurationError
from token_refresh.reader.sources.service import AwsService
from token_refresh.reader.sources.source import Source, Version
from token_refresh.reference import Reference, ReferenceScheme

# How many parameters one `GetParameters` may ask for.
PARAMETERS_AT_ONCE: Final = 10

AMPLIFY_VARIABLE: Final = "AMPLIFY_SSM_ENV_CONFIG"


class ParameterStore(Source):
    """Reads parameters; the first of a reference's paths that has one counts.

    No label says which version was current before: use a list in a `field`.
    """

    def __init__(self, client: Any, region: str | None) -> None:
        self._service = AwsService("ssm", kind="parameter", client=client, region=region)

    def read(self, reference: Reference) -> Version:
        """Read the newest version."""
        return self.read_all((reference,))[reference.text]

    def read_all(self, references: tuple[Reference, ...]) -> dict[str, Version]:
        """Read the newest versions, up to ten parameters with one call."""
        paths = {reference: _paths(reference) for reference in references}
        # Each path once: several secrets of Amplify may share one.
        wanted = list(dict.fromkeys(path for each in paths.values() for path in each))

        def ask(client: Any) -> dict[str, Version]:
            found: dict[str, Any] = {}
            for start in range(0, len(wanted), PARAMETERS_AT_ONCE):
                # Not GetParameter: Amplify grants ssm:GetParameters alone.
                response = client.get_parameters(Names=wanted[start : start + PARAMETERS_AT_ONCE], WithDecryption=True)
                found |= {member(each, "Name", str): each for each in member(response, "Parameters", list)}
            return {reference.text: self._first(reference, paths[reference], found) for reference in references}

        return self._service.call("GetParameters", *wanted, ask=ask)

    def _first(self, reference: Reference, paths: tuple[str, ...], found: dict[str, Any]) -> Version:
        text = None if paths[0] == reference.name else f"{reference.scheme.value}:{reference.name}"
        request = self._service.request("GetParameters", paths[0], reference=text)
        parameter = next((found[path] for path in paths if path in found), None)
        if parameter is None:
            raise named_error(FailedCall(cause=Cause.NOT_FOUND, code="InvalidParameters"), request)
        return Version(
            reference=reference,
            request=request,
            version_id=str(member(parameter, "Version", int)),
            created_at=time_member(parameter, "LastModifiedDate"),
            content=member(parameter, "Value", str),
            how_to_renew=("the owner of this parameter has to store one",),
        )


def _paths(reference: Reference) -> tuple[str, ...]:
    """Return the path of an `ssm:` reference, or the two of an `amplify:` one, the function's own first."""
    if reference.scheme is ReferenceScheme.PARAMETER:
        return (reference.name,)
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
