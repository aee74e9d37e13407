"""Calls of a model that has one secret, `tokens`, at one moment unless told otherwise."""

import uuid

from testbed.secrets_manager.model import SecretsModel

NOW = 1_790_000_000.0
SECRET = "tokens"


def version_id(number: int) -> str:
    return str(uuid.UUID(int=number))


def model() -> SecretsModel:
    """A model with one secret that has one version, number 0."""
    made = SecretsModel()
    made.call(
        "CreateSecret", {"Name": SECRET, "ClientRequestToken": version_id(0), "SecretString": "canary 0"}, now=NOW
    )
    return made


def put(made: SecretsModel, number: int, *labels: str, now: float = NOW) -> None:
    request = {
        "SecretId": SECRET,
        "ClientRequestToken": version_id(number),
        "SecretString": f"canary {number}",
    }
    made.call("PutSecretValue", request | ({"VersionStages": list(labels)} if labels else {}), now=now)


def ids(made: SecretsModel) -> set[str]:
    listed = made.call("ListSecretVersionIds", {"SecretId": SECRET, "IncludeDeprecated": True}, now=NOW)
    return {version["VersionId"] for version in listed["Versions"]}
