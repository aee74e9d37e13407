"""Secrets in AWS Secrets Manager."""

from collections.abc import Iterable
from typing import Any, Final

from token_refresh.aws.arn import name_same_secret
from token_refresh.aws.causes import Cause, FailedCall, failure_of_code
from token_refresh.aws.errors import named_error
from token_refresh.aws.request import AskedBy, AwsRequest, token_status
from token_refresh.aws.responses import MalformedResponse, member, time_member, version_member
from token_refresh.errors import SecretEmpty
from token_refresh.reader.sources.service import AwsService
from token_refresh.reader.sources.source import Source, Version
from token_refresh.reference import Reference

# How many secrets one `BatchGetSecretValue` may ask for.
SECRETS_AT_ONCE: Final = 20


class SecretsManager(Source):
    """Reads secrets by their labels."""

    def __init__(self, client: Any, region: str | None, asked_by: AskedBy) -> None:
        self._service = AwsService("secretsmanager", kind="secret", client=client, region=region, asked_by=asked_by)

    def read(self, reference: Reference) -> Version:
        """Read the version with AWSCURRENT."""
        return self._read(reference, "AWSCURRENT")

    def read_previous(self, reference: Reference) -> Version | None:
        """Read the version with AWSPREVIOUS; None if no version has that label."""
        try:
            return self._read(reference, "AWSPREVIOUS")
        # A first version has no predecessor: GetSecretValue says ResourceNotFoundException, as for a missing secret.
        except SecretEmpty:
            return None

    def read_all(self, references: tuple[Reference, ...]) -> dict[str, Version]:
        """Read the versions with AWSCURRENT, up to twenty with one call; ARNs of several regions take one for each."""
        by_region: dict[str | None, list[Reference]] = {}
        for reference in references:
            by_region.setdefault(self._service.client_region(reference.name), []).append(reference)
        found: dict[str, Version] = {}
        for group in by_region.values():
            # Each secret once: several references may name fields of one.
            names = list(dict.fromkeys(reference.name for reference in group))
            for start in range(0, len(names), SECRETS_AT_ONCE):
                asked = names[start : start + SECRETS_AT_ONCE]
                found |= self._read_batch(asked, [reference for reference in group if reference.name in asked])
        return found

    def _read(self, reference: Reference, stage: str) -> Version:
        def ask(client: Any) -> Version:
            # The stage is always given: a policy with a condition on secretsmanager:VersionStage needs it.
            response = client.get_secret_value(SecretId=reference.name, VersionStage=stage)
            return _version(reference, self._service.request("GetSecretValue", reference.name), response)

        return self._service.call("GetSecretValue", reference.name, ask=ask)

    def _read_batch(self, names: list[str], references: list[Reference]) -> dict[str, Version]:
        def ask(client: Any) -> dict[str, Version]:
            values: list[Any] = []
            page: dict[str, Any] = {}
            for _ in range(SECRETS_AT_ONCE):  # pages may be empty; an endless series is given up
                response = client.batch_get_secret_value(SecretIdList=names, **page)
                for error in response.get("Errors") or ():
                    # The batch succeeds although one of its secrets fails; the group is read whole or not at all.
                    failure = failure_of_code(error.get("ErrorCode"), error.get("Message"))
                    # A name that was not asked for is not quoted.
                    about = [error["SecretId"]] if error.get("SecretId") in names else names
                    raise named_error(failure, self._service.request("GetSecretValue", *about))
                values += member(response, "SecretValues", list)
                if not (token := response.get("NextToken")):
                    break
                page = {"NextToken": token}
            return self._pick(references, values)

        return self._service.call("BatchGetSecretValue", *names, ask=ask)

    def _pick(self, references: Iterable[Reference], values: list[Any]) -> dict[str, Version]:
        by_name = [(member(value, key, str), value) for value in values for key in ("Name", "ARN")]
        versions = {}
        for reference in references:
            request = self._service.request("BatchGetSecretValue", reference.name)
            # Asked by name or ARN, complete or without its last characters; the response has the complete ones.
            found = next((value for name, value in by_name if name_same_secret(reference.name, name)), None)
            if found is None:
                raise named_error(FailedCall(cause=Cause.NOT_FOUND, code="ResourceNotFoundException"), request)
            versions[reference.text] = _version(reference, request, found)
        return versions


def _version(reference: Reference, request: AwsRequest, response: Any) -> Version:
    text, binary = response.get("SecretString"), response.get("SecretBinary")
    content = binary if text is None else text
    if content is None:
        raise named_error(FailedCall(cause=Cause.NO_VALUE, code="SecretString"), request)
    if not isinstance(content, str | bytes):
        raise MalformedResponse("SecretString")
    return Version(
        reference=reference,
        request=request,
        version_id=version_member(response),
        created_at=time_member(response, "CreatedDate"),
        content=content,
        how_to_renew=("ask the people who run the worker; ", token_status(request), " shows why there is none"),
    )
