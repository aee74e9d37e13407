"""Membership in a fleet: the tag that makes a secret a member, its row in the fleet's index, and its copy."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from token_refresh.advice import Command
from token_refresh.aws.arn import secret_name
from token_refresh.errors import ConfigurationError, SecretNotFound, TokenRefreshError
from token_refresh.stored.json_object import write_object
from token_refresh_admin.changes.change import fields_of
from token_refresh_admin.changes.client import with_client
from token_refresh_admin.cli.context import Context
from token_refresh_admin.cli.deployment import copied_from, read_table_tags, refuse_other_fleet, tags_in
from token_refresh_admin.cli.screen import note
from token_refresh_worker.core.versions import CURRENT
from token_refresh_worker.fleet.aws.index import TableIndex
from token_refresh_worker.fleet.core.enrolment import FLEET_TAG, PROVIDER_TAG, TaggedSecret, Tombstone, enrol
from token_refresh_worker.fleet.core.outcome import after
from token_refresh_worker.fleet.core.row import Row, is_due
from token_refresh_worker.run.failures import SecretName, grant_revoked
from token_refresh_worker.run.outcome import CurrentTokens, Outcome
from token_refresh_worker.run.settings import copy_name
from token_refresh_worker.stored.credentials import ClientCredentials
from token_refresh_worker.stored.tags import COPY_OF_TAG, PUBLISHED_UNDER_TAG

RECOVERY_DAYS: Final = 30
"""How long a copy that is deleted can be restored."""


def open_index(context: Context, fleet: str) -> TableIndex:
    """Open a fleet's index: the table of the fleet's name."""
    return TableIndex(context.client("dynamodb"), fleet, fleet)


def find_index(context: Context, fleet: str) -> TableIndex:
    """Open the index of a fleet that is there, before anything is changed that only this fleet could use."""
    index = open_index(context, fleet)
    index.read_clock()  # a table of claims alone has no index of rows
    return index


def own_index(context: Context) -> TableIndex | None:
    """Open the index of the secret's own fleet, before anything is stored; None if it is in no fleet."""
    return find_index(context, context.source.fleet) if context.source.fleet else None


def report_revoked(context: Context, index: TableIndex, *, at: datetime, provider: str, version_id: str) -> bool:
    """Let a fleet's row say what each run on the secret will find; False if there is none, or a run reported later."""
    entry = index.entry(context.arn_of(context.secret_id))
    if entry is None:
        return False
    found = Outcome(
        error=grant_revoked(context.secret, at), at=at, provider=provider, tokens=CurrentTokens(version_id=version_id)
    )
    return index.report(after(entry.row, found, began_at=entry.read_at, chance=0.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Copies:
    """Where a fleet publishes the copies of its secrets: people make and remove them, and the worker fills them.

    A copy is made without a value, so nothing here decides who gets a token: the worker writes where its deployment
    says. `template` is the worker's `PUBLISHED_SECRET_ID`.
    """

    context: Context
    template: str

    def make(self, secret_id: str, kms_key: str | None = None) -> None:
        """Make the copy of a secret, empty and under the secret's own key, unless it is there."""
        source, name = secret_name(secret_id), str(copy_name(self.template, secret_id))
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
            line = "aws secretsmanager describe-secret --secret-id {} --region {}"
            look = Command.of(line, name, self.context.region)
            raise ConfigurationError(
                f"secret {name} is not a copy of {source}, whose copy needs this name",
                fix=("Give it another name. To see what it is: ", look),
            )
        elif "DeletedDate" in found:
            self.context.call("RestoreSecret", name)

    def remove(self, secret_id: str) -> None:
        """Schedule the deletion of a secret's copy, if there is one; another secret of its name stays."""
        source, name = secret_name(secret_id), str(copy_name(self.template, secret_id))
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

    A caller that may not read the tag gets a message and makes no copies: `fleet status` then says which are missing.
    """
    try:
        under = read_table_tags(context, fleet).get(PUBLISHED_UNDER_TAG)
    except TokenRefreshError as failure:
        if not failure.needs_person:
            raise
        unknown = f"Whether fleet {fleet} publishes copies is not known, so none are made or removed: "
        note(unknown, *failure.parts)
        return None
    return Copies(context=context, template=f"{under}{{secret}}") if under else None


def join(context: Context, index: TableIndex, *, fleet: str, secret_id: str, copies: Copies | None = None) -> None:
    """Tag a secret as a member, make its copy and make it due.

    Where it has the tag, nothing is written to the secret.
    """
    described = context.call("DescribeSecret", secret_id)
    secret_arn = str(described["ARN"])
    tags = tags_in(described)
    refuse_other_fleet(context, secret_id, tags, fleet)
    primary = described.get("PrimaryRegion", context.region)
    if primary != context.region:
        # Two fleets would use up one grant: a replica has the tokens of its primary, and claims of its own.
        raise ConfigurationError(
            f"secret {secret_id} in {context.region} is a replica of the one in {primary}",
            fix=(
                "add that one, to a fleet of its region: ",
                SecretName(secret_id=secret_id, region=primary).join(fleet),
            ),
        )
    if source := copied_from(tags):
        raise ConfigurationError(
            f"secret {secret_id} is the copy of {source} for services, and has no refresh token",
            fix=("add that one: ", SecretName(secret_id=source, region=context.region).join(fleet)),
        )
    if copies is not None:  # Before the tag: the first run finds its copy.
        copies.make(secret_arn, described.get("KmsKeyId"))
    wanted = {FLEET_TAG: fleet}
    if provider := context.given.get("PROVIDER"):
        wanted[PROVIDER_TAG] = provider
    missing = [{"Key": key, "Value": value} for key, value in wanted.items() if tags.get(key) != value]
    # The tag first: a resync removes the row of a secret without it.
    if missing:
        context.call("TagResource", secret_id, Tags=missing)
    now = index.read_clock()
    listed = TaggedSecret(secret_arn=secret_arn, tags={**tags, **wanted}, changed_at=None)
    if not index.add(enrol(listed, now)):
        index.look_at(secret_arn, now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaving:
    """A secret on its way out of a fleet: no run begins on it any more."""

    secret_id: str
    secret_arn: str
    is_tagged: bool
    may_run: bool
    """Whether a run may be under way, which still needs the tag."""


def begin_leaving(context: Context, index: TableIndex, *, fleet: str, secret_id: str) -> Leaving:
    """Turn a secret's row into a tombstone that no alarm counts, and leave its tag: a run under way can still store.

    A resync leaves such a secret out for ten minutes.
    """
    described = _describe_member(context, index, secret_id)
    secret_arn = str(described["ARN"])
    tags = tags_in(described)
    # A secret that is marked for deletion is in no listing, and takes no change.
    is_tagged = tags.get(FLEET_TAG) == fleet and "DeletedDate" not in described
    if is_tagged and _keeps_tokens(context, fleet, secret_arn):
        raise _tokens_wait(context, fleet, secret_id)
    now = index.read_clock()
    was = index.remove(secret_arn, now, quietly=True)
    if was is None and not is_tagged:
        status = Command.of("token-refresh fleet status --fleet {} --region {}", fleet, context.region)
        raise ConfigurationError(f"secret {secret_id} is not in fleet {fleet}", fix=("see who is: ", status))
    # A run begins only on what is due, and moves it when it ends; what failed may be tried before it is due.
    may_run = is_tagged and was is not None and (was.has_failed or is_due(was, now))
    return Leaving(secret_id=secret_id, secret_arn=secret_arn, is_tagged=is_tagged, may_run=may_run)


def end_leaving(
    context: Context, index: TableIndex, leaving: Leaving, *, fleet: str, copies: Copies | None = None
) -> None:
    """Take the tag off, and schedule the copy's deletion."""
    if leaving.may_run and _keeps_tokens(context, fleet, leaving.secret_arn):
        join(context, index, fleet=fleet, secret_id=leaving.secret_id)
        raise _tokens_wait(context, fleet, leaving.secret_id)
    if copies is not None:
        copies.remove(leaving.secret_arn)
    if leaving.is_tagged:
        context.call("UntagResource", leaving.secret_id, TagKeys=[FLEET_TAG, PROVIDER_TAG])
        # From now on: a listing may show the tag for minutes. And a resync may have taken it back by now.
        index.remove(leaving.secret_arn, index.read_clock(), quietly=True)


def _tokens_wait(context: Context, fleet: str, secret_id: str) -> ConfigurationError:
    refresh = SecretName(secret_id=secret_id, region=context.region).command("refresh")
    return ConfigurationError(
        f"the table of fleet {fleet} keeps new tokens of secret {secret_id}, which Secrets Manager refused",
        fix=("Correct what the last error names. Then let a run store them: ", refresh),
    )


def _keeps_tokens(context: Context, fleet: str, secret_arn: str) -> bool:
    """Look into the item itself: the row has the last error alone, which may be another one by now."""
    key = {"secret_arn": {"S": secret_arn}}
    read = context.ask("dynamodb:GetItem", "fleet table", fleet, TableName=fleet, Key=key, ConsistentRead=True)
    return "kept_tokens" in read.get("Item", {})


def _describe_member(context: Context, index: TableIndex, secret_id: str) -> Mapping[str, Any]:
    """Describe a secret, or what the index knows of one that is deleted."""
    try:
        return context.call("DescribeSecret", secret_id)
    except SecretNotFound:
        members: tuple[Row | Tombstone, ...] = (*index.rows(), *index.tombstones())
        for known in members:
            if secret_id in (known.secret_arn, known.name):
                return {"ARN": known.secret_arn}
        raise


def store_client(context: Context, secret_id: str, client: ClientCredentials) -> None:
    """Store a client in a secret that has none."""
    store = context.store(secret_id)
    try:
        fields = fields_of(store.read(label=CURRENT))
    except SecretNotFound:
        context.create(
            secret_id,
            ClientRequestToken=str(uuid.uuid4()),
            Description="OAuth 2.0 client of token-refresh-worker",
            SecretString=write_object(with_client({}, client)).reveal(),
        )
        return
    store.put(str(uuid.uuid4()), write_object(with_client(fields, client)), label=CURRENT)
