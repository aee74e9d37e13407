"""The copies of a fleet's secrets for services: people make and remove them, and the worker fills them.

A copy is made without a value, so nothing here decides who gets a token: the worker writes where its deployment says.
"""

from dataclasses import dataclass
from typing import Any, Final

from token_refresh.advice import Command
from token_refresh.aws.arn import secret_name
from token_refresh.errors import ConfigurationError, SecretNotFound, TokenRefreshError
from token_refresh_admin.cli.context import Context
from token_refresh_admin.cli.deployment import read_table_tags, tags_in
from token_refresh_admin.cli.screen import errors, message, show
from token_refresh_worker.run.settings import copy_name
from token_refresh_worker.stored.tags import COPY_OF_TAG, PUBLISHED_UNDER_TAG

RECOVERY_DAYS: Final = 30
"""How long a copy that is deleted can be restored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Copies:
    """Where a fleet publishes; `template` is the worker's `PUBLISHED_SECRET_ID`."""

    context: Context
    template: str

    def name_of(self, secret_id: str) -> str:
        """Return the name of a secret's copy."""
        return str(copy_name(self.template, secret_id))

    def make(self, secret_id: str, kms_key: str | None = None) -> None:
        """Make the copy of a secret, empty and under the secret's own key, unless it is there."""
        source, name = secret_name(secret_id), self.name_of(secret_id)
        under = self.template.partition("{secret}")[0]
        if source.startswith(under):
            raise ConfigurationError(
                f"secret {source} is under {under}, where copies are: their readers could read its refresh token",
                fix="Give it another name",
            )
        found = self._described(name)
        if found is None:
            given: dict[str, Any] = {"KmsKeyId": kms_key} if kms_key else {}
            self.context.create(
                name,
                Description=f"Access token of {source}, published by token-refresh-worker",
                Tags=[{"Key": COPY_OF_TAG, "Value": source}, {"Key": "managed-by", "Value": "token-refresh-worker"}],
                **given,
            )
        elif tags_in(found).get(COPY_OF_TAG) != source:
            look = Command.of(
                "aws secretsmanager describe-secret --secret-id {} --region {}", name, self.context.region
            )
            raise ConfigurationError(
                f"secret {name} is not a copy of {source}, whose copy needs this name",
                fix=("Give it another name. To see what it is: ", look),
            )
        elif "DeletedDate" in found:
            self.context.call("RestoreSecret", name)

    def remove(self, secret_id: str) -> None:
        """Schedule the deletion of a secret's copy, if there is one; another secret of its name stays."""
        source, name = secret_name(secret_id), self.name_of(secret_id)
        found = self._described(name)
        if found is not None and tags_in(found).get(COPY_OF_TAG) == source and "DeletedDate" not in found:
            self.context.call("DeleteSecret", name, RecoveryWindowInDays=RECOVERY_DAYS)

    def _described(self, name: str) -> dict[str, Any] | None:
        try:
            return self.context.call("DescribeSecret", name)
        except SecretNotFound:
            return None


def find_copies(context: Context, fleet: str) -> Copies | None:
    """Find where a fleet publishes, by the tag that its stack puts on its table.

    Where the tag can't be read, say so, and make no copies: `fleet status` then says which are missing.
    """
    try:
        under = read_table_tags(context, fleet).get(PUBLISHED_UNDER_TAG)
    except TokenRefreshError as failure:
        unknown = f"Whether fleet {fleet} publishes copies is not known, so none are made or removed: "
        show(errors(), *message(unknown, *failure.parts))
        return None
    return Copies(context=context, template=f"{under}{{secret}}") if under else None
