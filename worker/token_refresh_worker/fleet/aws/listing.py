"""The secrets that carry a fleet's tag."""

from collections.abc import Iterator, Mapping
from datetime import UTC
from typing import TYPE_CHECKING, Any

from token_refresh.aws.calls import call
from token_refresh.aws.request import AwsRequest
from token_refresh_worker.fleet.core.enrolment import FLEET_TAG, TaggedSecret

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient


def list_members(client: "SecretsManagerClient", fleet: str) -> Iterator[TaggedSecret]:
    """List all secrets whose tag begins with the fleet's name: names and tags, and no value of a secret.

    See https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_ListSecrets.html: filters match prefixes.
    """
    filters = [{"Key": "tag-key", "Values": [FLEET_TAG]}, {"Key": "tag-value", "Values": [fleet]}]
    what: dict[str, Any] = {"Filters": filters, "MaxResults": 100}
    # At most 100 a page, and a page may be empty although more follow.
    while True:
        listed, more = _page(client, what)
        yield from listed
        if more is None:
            return
        what = {**what, "NextToken": more}


def _page(client: "SecretsManagerClient", what: Mapping[str, Any]) -> tuple[list[TaggedSecret], str | None]:
    region = client.meta.region_name

    def ask() -> tuple[list[TaggedSecret], str | None]:
        page = client.list_secrets(**what)
        # A replica has its primary's tags, and not its claims: the fleets of two regions would use up one grant.
        own = [secret for secret in page["SecretList"] if secret.get("PrimaryRegion", region) == region]
        return [_listed(secret) for secret in own], page.get("NextToken")

    return call(ask, lambda: AwsRequest("secretsmanager:ListSecrets", "", region, kind="all secrets"))


def _listed(secret: Any) -> TaggedSecret:
    changed = secret.get("LastChangedDate")
    return TaggedSecret(
        secret_arn=secret["ARN"],
        tags={tag["Key"]: tag["Value"] for tag in secret.get("Tags", ())},
        # The SDK gives the machine's own zone.
        changed_at=changed.astimezone(UTC) if changed else None,
    )
