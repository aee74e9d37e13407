"""How AWS clients are led to a Secrets Manager on this machine, in this process or in another."""

from abc import ABC, abstractmethod
from typing import Any


class SecretsEndpoint(ABC):
    """A Secrets Manager that listens at `url`; any credentials will do."""

    region: str

    @property
    @abstractmethod
    def url(self) -> str:
        """Return the endpoint, for `endpoint_url`."""

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables that lead a process's AWS clients here."""
        return {
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_DEFAULT_REGION": self.region,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL_SECRETS_MANAGER": self.url,
            "AWS_REGION": self.region,
            "AWS_SECRET_ACCESS_KEY": "testing",
        }

    def client(self, **options: Any) -> Any:
        """Return a boto3 client of this server; options go to `boto3.client`."""
        import boto3  # noqa: PLC0415 - a server in its own process starts in half the time without it

        known = {"region_name": self.region, "aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
        return boto3.client("secretsmanager", endpoint_url=self.url, **(known | options))
