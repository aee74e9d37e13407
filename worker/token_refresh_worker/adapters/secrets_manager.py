"""One secret in AWS Secrets Manager."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from token_refresh.advice import Command
from token_refresh.aws import responses
from token_refresh.aws.calls import CallFailed, call, call_action, nothing
from token_refresh.aws.causes import Cause, FailedCall
from token_refresh.aws.request import AwsRequest
from token_refresh.errors import SecretAccessDenied, SecretStoreError, SecretStoreUnavailable
from token_refresh.secret_value import SecretValue
from token_refresh_worker.adapters.calls import until
from token_refresh_worker.core.locked import VersionEntry
from token_refresh_worker.core.versions import CURRENT
from token_refresh_worker.run.failures import SecretName, version_locked
from token_refresh_worker.run.ports import Deadline, SecretVersion

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

T = TypeVar("T")

_SWAP_REFUSED: Final = frozenset({"InvalidParameterException", "InvalidRequestException"})


def swap_refused(failure: FailedCall) -> bool:
    """Whether `UpdateSecretVersionStage` did not find a label where it was expected."""
    return failure.code in _SWAP_REFUSED and failure.cause is not Cause.DELETED


class SecretsManagerSecret:
    """A secret, by its name or ARN; implements the port `SecretStore`.

    Every error names the secret, the region, the action and `setting`, the variable that names the secret. It quotes
    nothing that the service sent: messages of the service may quote what it was sent.
    """

    def __init__(
        self, client: "SecretsManagerClient", secret_id: str, deadline: Deadline, *, setting: str | None = None
    ) -> None:
        self._client = client
        self._secret_id = secret_id
        self._setting = setting
        self._arn = secret_id
        self._deadline = deadline

    @property
    def arn(self) -> str:
        """The full ARN, once the secret was read; before that, what it was opened with."""
        return self._arn

    @property
    def region(self) -> str:
        """The AWS region that is called."""
        return self._client.meta.region_name

    def read(self, *, label: str | None = None, version_id: str | None = None) -> SecretVersion | None:
        """Read one version; see https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html."""
        # AWSCURRENT too: an IAM condition on secretsmanager:VersionStage denies a request without the stage.
        which = {"VersionStage": label} if version_id is None else {"VersionId": version_id}

        def is_missing(failure: FailedCall) -> bool:
            if failure.cause is Cause.BAD_NAME:
                return version_id is not None  # What is stored names a version that can't exist.
            # Only the read of the current version tells a missing secret from a missing version.
            return failure.cause is Cause.NO_VALUE or (failure.cause is Cause.NOT_FOUND and label != CURRENT)

        which_one = None if label == CURRENT else f"label {label}" if version_id is None else f"version {version_id}"
        try:
            read = partial(self._version, version_id)
            return self._call("GetSecretValue", which, read, expected=is_missing, purpose=which_one)
        except CallFailed:
            return None
        except SecretAccessDenied as refused:
            # Every run and command reads this first. Other labels are read as far as they can be.
            if not refused.by_key or label != CURRENT or self._setting is not None:
                raise
            raise self._locked() from None

    def _locked(self) -> SecretAccessDenied:
        """Name the current version and its key, as far as the versions can be listed."""
        secret, found = SecretName(secret_id=self._secret_id, region=self.region), None
        with suppress(SecretStoreError):
            found = next((version for version in self.versions() if CURRENT in version.labels), None)
        what = f"the current tokens of {secret} are"
        return version_locked(
            secret, found.version_id if found else None, CURRENT, found.keys if found else (), what=what
        )

    def versions(self) -> tuple[VersionEntry, ...]:
        """List all versions; see https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_ListSecretVersionIds.html."""
        listed: list[VersionEntry] = []
        page: dict[str, str] = {}
        while True:
            what = {"IncludeDeprecated": True, **page}
            found, following = self._call("ListSecretVersionIds", what, _read_page, expected=nothing)
            listed += found
            if following is None:
                return tuple(listed)
            page = {"NextToken": following}

    def put(self, version_id: str, value: SecretValue, *, label: str) -> bool:
        """Append one version; see https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutSecretValue.html."""
        # Without VersionStages, AWSCURRENT would move to the new version (API_PutSecretValue).
        what = {"ClientRequestToken": version_id, "SecretString": value.reveal(), "VersionStages": [label]}
        read = partial(_check_version, version_id)
        try:
            self._call("PutSecretValue", what, read, expected=lambda failure: failure.code == "ResourceExistsException")
        except CallFailed:
            return False
        return True

    def move_label(self, label: str, *, to: str | None, remove_from: str | None) -> bool:
        """Move one label; see https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_UpdateSecretVersionStage.html."""
        what = {"VersionStage": label, "MoveToVersionId": to, "RemoveFromVersionId": remove_from}
        # botocore refuses None.
        given = {name: value for name, value in what.items() if value is not None}
        try:
            self._call("UpdateSecretVersionStage", given, _check_secret, expected=_is_elsewhere, after_write=True)
        except CallFailed as failed:
            if swap_refused(failed.failure):
                return False
            raise SecretStoreUnavailable(
                f"secretsmanager:UpdateSecretVersionStage on secret {self._secret_id} in {self.region} "
                f"could not move {label}, because version {to or remove_from} is not known ({failed.failure.code}); "
                "nothing was changed, and the next run tries again",
                fix=("To try now: ", Command.of("token-refresh refresh {} --region {}", self._secret_id, self.region)),
            ) from None
        return True

    def _version(self, version_id: str | None, response: Any) -> SecretVersion:
        arn, text = responses.arn_member(response), responses.optional_member(response, "SecretString", str)
        # From here on calls go to this very secret: one that is deleted and created again has another ARN.
        self._arn = arn or self._arn
        return SecretVersion(
            arn=self._arn,
            version_id=_check_version(version_id, response),
            labels=_labels(response),
            created_at=responses.time_member(response, "CreatedDate"),
            read_at=responses.service_time(response),
            value=None if text is None else SecretValue(text),
        )

    def _call(  # noqa: PLR0913 - all but the action and its members by name
        self,
        action: str,
        what: Mapping[str, Any],
        read: Callable[[Any], T],
        *,
        expected: Callable[[FailedCall], bool],
        after_write: bool = False,
        purpose: str | None = None,
    ) -> T:
        return call(
            lambda: read(call_action(self._client, action, SecretId=self._arn, **what)),
            lambda: AwsRequest(
                f"secretsmanager:{action}", self._secret_id, self.region, setting=self._setting, purpose=purpose
            ),
            expected=expected,
            repeat=until(self._deadline, after_write=after_write),
        )


def _read_page(response: Any) -> tuple[list[VersionEntry], str | None]:
    entries = responses.member(response, "Versions", list)
    listed = [
        VersionEntry(
            version_id=responses.version_member(entry),
            labels=_labels(entry),
            created_at=responses.time_member(entry, "CreatedDate"),
            keys=tuple(map(str, responses.optional_member(entry, "KmsKeyIds", list) or ())),
        )
        for entry in entries
    ]
    return listed, responses.optional_member(response, "NextToken", str) or None  # moto ends with an empty one


def _is_elsewhere(failure: FailedCall) -> bool:
    return swap_refused(failure) or failure.cause is Cause.NO_VALUE


def _check_version(expected: str | None, response: Any) -> str:
    """Return the version of a response; one that is not about the expected version is malformed, and proves nothing."""
    found = responses.version_member(response)
    if expected not in {None, found}:
        raise responses.MalformedResponse("VersionId")
    return found


def _check_secret(response: Any) -> None:
    if responses.arn_member(response) is None:
        raise responses.MalformedResponse("ARN")


def _labels(response: Any) -> frozenset[str]:
    labels = responses.optional_member(response, "VersionStages", list) or []
    if not all(isinstance(label, str) for label in labels):
        raise responses.MalformedResponse("VersionStages")
    return frozenset(labels)
