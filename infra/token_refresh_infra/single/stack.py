"""The whole deployment of one worker: put together here, configured by `SingleParameters`."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from token_refresh_infra import access
from token_refresh_infra.common import CREATE
from token_refresh_infra.constructs.denied_access import DeniedAccess
from token_refresh_infra.constructs.function import WorkerFunction
from token_refresh_infra.constructs.key import SecretKey, kept_tokens_key
from token_refresh_infra.constructs.nag import acknowledge
from token_refresh_infra.constructs.schedule import Schedules
from token_refresh_infra.constructs.secret import AWS_OWN_KEY, AllowList, EmptySecret
from token_refresh_infra.constructs.stack import DeployedStack
from token_refresh_infra.constructs.table import ClaimTable, adopted_table_arn
from token_refresh_infra.constructs.topic import alarm_arns, alarm_topic
from token_refresh_infra.single.alarms import RefreshAlarms
from token_refresh_infra.single.assumed_life import warn_of_assumed_life
from token_refresh_infra.single.consumers import read_policy
from token_refresh_infra.single.dashboard import RefreshDashboard, save_queries
from token_refresh_infra.single.metrics import Metrics
from token_refresh_infra.single.parameters import SingleParameters
from token_refresh_worker.stored.tags import (
    CLAIM_TABLE_TAG,
    FUNCTION_TAG,
    PUBLISHED_FROM_TAG,
    PUBLISHED_TAG,
    REPLICAS_TAG,
)

TAG_LIMIT = 256
"""Characters of a tag's value."""


class SingleStack(DeployedStack):
    """One worker for one token secret; `grant_read` and `grant_invoke` are for stacks beside it."""

    def __init__(self, scope: Construct, construct_id: str, *, parameters: SingleParameters, code: Path) -> None:
        super().__init__(
            scope,
            construct_id,
            parameters=parameters,
            description="Refreshes OAuth 2.0 tokens in AWS Secrets Manager",
        )
        self._parameters = parameters
        self._make_key()
        self._kept_key = kept_tokens_key(
            self, parameters.kept_tokens_key_choice, table=parameters.claim_table_name or ""
        )
        self.worker = WorkerFunction(
            self,
            "Worker",
            parameters=parameters,
            code=code,
            variables=parameters.variables
            | {"RUN_PERIOD_SECONDS": str(parameters.longest_gap_seconds)}
            | ({"KEPT_TOKENS_KEY_ID": self._kept_key} if self._kept_key else {}),
            timeout_seconds=parameters.timeout_seconds,
            event_age_seconds=60 * parameters.run_every_minutes,
            log_key=self._key_arn if parameters.encrypt_logs else None,
            message_key=self._message_key,
        )
        self._make_secrets()
        self._grant_worker()
        self._schedule()
        self._watch()
        self._let_consumers_read()
        self._write_outputs()

    def grant_read(self, grantee: iam.IGrantable) -> None:
        """Let a consumer read the published copy, which has no refresh token.

        Raises:
            ValueError: Nothing is published.
        """
        if self.published_secret is None:
            raise ValueError('published_secret is "none", and the token secret holds the refresh token: grant nothing')
        access.grant_read_published(grantee, self.published_secret)

    def grant_invoke(self, grantee: iam.IGrantable) -> None:
        """Let a consumer have the tokens refreshed on demand."""
        access.grant_invoke(grantee, self.worker.function.function_arn)

    def _make_key(self) -> None:
        """Make or adopt the customer-managed key, where one is wanted."""
        parameters = self._parameters
        self._message_key: kms.IKey | None = None
        self._key_arn = parameters.kms_key
        if parameters.kms_key == CREATE:
            made = SecretKey(self, "Key", environment=parameters.environment)
            if parameters.encrypt_logs:
                made.allow_logs(parameters.log_group_name)
            if parameters.alarms:
                made.allow_messages(alarms=alarm_arns(self, parameters))
            self._message_key, self._key_arn = made.key, made.key.key_arn
        elif parameters.encrypt_messages and parameters.kms_key:
            self._message_key = kms.Key.from_key_arn(self, "MessageKey", parameters.kms_key)

    def _make_secrets(self) -> None:
        """Make or adopt the token secret and the published one; an allow list is in the policies of made ones."""
        parameters = self._parameters
        tags = {
            FUNCTION_TAG: parameters.stack_name,
            PUBLISHED_TAG: parameters.published_secret_id,
            CLAIM_TABLE_TAG: parameters.claim_table_name,
        }
        self.token_secret = self._secret(
            "TokenSecret",
            parameters.token_secret,
            parameters.token_secret_id,
            tags={tag: name for tag, name in tags.items() if name is not None},
        )
        self.published_secret = None
        if parameters.published_secret_id:
            self.published_secret = self._secret(
                "PublishedSecret",
                parameters.published_secret,
                parameters.published_secret_id,
                others=parameters.consumers,
                tags={PUBLISHED_FROM_TAG: parameters.token_secret_name} | self._replicas_tag(),
                replicas=parameters.replicas,
            )

    def _replicas_tag(self) -> dict[str, str]:
        """Return the tag by which `status` misses a replica that is gone; over 256 characters would be refused."""
        regions = " ".join(self._parameters.replicas)
        return {REPLICAS_TAG: regions} if 0 < len(regions) <= TAG_LIMIT else {}

    def _allow_list(self, others: Sequence[str]) -> AllowList | None:
        """Return who may use a secret, where that is limited; `others` may use its value alone."""
        operators = self._parameters.operators
        if not operators:
            return None
        managers = (*operators, self.deploying_role_arn)
        # The schema of CloudFormation's resource lists GetSecretValue for updates; nothing says whether it calls it. So
        # its role is a user, too: to refuse it would protect nothing, since it may replace value and policy.
        return AllowList(users=(self.worker.role.role_arn, *managers, *others), managers=managers)

    def _secret(
        self,
        construct_id: str,
        choice: str,
        secret_id: str,
        *,
        others: Sequence[str] = (),
        tags: Mapping[str, str] | None = None,
        replicas: Mapping[str, str | None] | None = None,
    ) -> access.Secrets:
        if choice != CREATE:
            return self._encrypted(access.one_secret(self, choice))
        made = EmptySecret(
            self,
            construct_id,
            name=secret_id,
            # No update of the stack changes a secret that holds a grant.
            description="OAuth 2.0 tokens, kept fresh by the token refresh worker",
            environment=self._parameters.environment,
            # Without a key after one, its name: a property that is gone may leave the secret under the old key.
            key=self._key_arn or (AWS_OWN_KEY if self._parameters.previous_kms_keys else None),
            only=self._allow_list(others),
            tags=tags,
            replicas=replicas,
        )
        return self._encrypted(access.one_secret(self, made.arn))

    def _encrypted(self, secrets: access.Secrets) -> access.Secrets:
        return secrets.encrypted_with(self._key_arn, *self._parameters.previous_kms_keys)

    def _grant_worker(self) -> None:
        """Let the worker do what a refresh does, and no more."""
        parameters, role = self._parameters, self.worker.role
        access.grant_refresh(role, self.token_secret, lists=True)
        if self.published_secret:
            access.grant_refresh(role, self.published_secret)
            for region, key in parameters.replicas.items():
                replica = access.one_replica(self, str(parameters.published_secret_id), region).encrypted_with(key)
                access.grant_replicate(role, self.published_secret, replica)
        if parameters.client_secret_id:
            client = self._encrypted(access.one_secret(self, parameters.client_secret_id))
            # The previous client secret is tried once, for as long as the provider doesn't know the current one.
            access.grant_read(role, client, labels=("AWSCURRENT", "AWSPREVIOUS"))
        if parameters.client_key:
            access.grant_sign(role, parameters.client_key)
        if parameters.uses_role_as_client and parameters.assertion_audience:
            algorithm = parameters.settings.provider.request.assertion_algorithm
            access.grant_identity_token(role, parameters.assertion_audience, algorithm)
            acknowledge(role, "IAM5[Resource::*]", "Identity tokens know no resource; conditions limit the audience")
        if parameters.event_bus:
            access.grant_announce(role, self, parameters.event_bus)
        if parameters.claim_table_name:
            self._grant_claims(parameters.claim_table_name)
        if self._kept_key:
            access.grant_keep(role, self.token_secret, self._kept_key)
        access.only_from_function(self, role, self.worker.function.function_arn, keep_key=self._kept_key)

    def _grant_claims(self, name: str) -> None:
        if self._parameters.claim_table == CREATE:
            table = ClaimTable(self, "Claims", name=name, key_arn=self._key_arn).table.table_arn
        else:
            table = adopted_table_arn(self, name)
        access.grant_claims(self.worker.role, table, name=name, key_arn=self._key_arn)

    def _schedule(self) -> None:
        parameters, minutes = self._parameters, self._parameters.run_every_minutes
        warn_of_assumed_life(self, parameters)
        self.schedule = Schedules(
            self,
            "Schedule",
            group_name=parameters.stack_name,
            enabled=parameters.schedule_enabled,
            message_key=self._message_key,
        )
        self.schedule.run(
            "Schedule",
            self.worker.function,
            name=parameters.stack_name,
            every=f"{minutes} minute{'s' if minutes > 1 else ''}",
            event_age_seconds=60 * minutes,
            attempts=3,
            within_minutes=parameters.start_within_minutes,
            description="Starts the token refresh worker. To stop refreshes for a while, run token-refresh pause",
        )

    def _watch(self) -> None:
        """Add alarms, dashboard and saved queries."""
        parameters, log_group = self._parameters, self.worker.log_group
        metrics = Metrics(parameters=parameters, function=self.worker.function, dead_letters=self.schedule.dead_letters)
        self.topic = None
        self.denied = None
        alarms: list[cloudwatch.AlarmBase] = []
        if parameters.alarms:
            self.topic = alarm_topic(self, parameters=parameters, key=self._message_key)
            names = [f"*{parameters.token_secret_name}*"]
            self.denied = DeniedAccess(self, "DeniedAccess", names=names, key=self._message_key)
            alarms = RefreshAlarms(
                self,
                "Alarms",
                parameters=parameters,
                metrics=metrics,
                log_group=log_group,
                denied=self.denied,
            ).announce(self.topic)
        if parameters.dashboard:
            RefreshDashboard(
                self,
                "Dashboard",
                parameters=parameters,
                metrics=metrics,
                alarms=alarms,
            )
        save_queries(self, parameters=parameters, log_group=log_group)

    def _let_consumers_read(self) -> None:
        """Offer what a consumer needs as one policy."""
        self.read_policy = read_policy(
            self, self.published_secret, self.token_secret, parameters=self._parameters, key_arn=self._key_arn
        )

    def _write_outputs(self) -> None:
        safe_seconds = self._parameters.longest_safe_cache_seconds
        self.show(
            {
                "FunctionName": self.worker.function.function_name,
                "TokenSecretId": self._parameters.token_secret_id,
                "PublishedSecretId": self._parameters.published_secret_id,
                "LongestSafeCacheSeconds": str(safe_seconds) if self._parameters.published_secret_id else None,
                "ReadPolicyArn": self.read_policy.managed_policy_arn if self.read_policy else None,
                "ClaimTableName": self._parameters.claim_table_name,
                "ScheduleName": self._parameters.stack_name,
                "LogGroupName": self._parameters.log_group_name,
                "DeadLettersUrl": self.schedule.dead_letters.queue_url,
                "FailedRunsUrl": self.worker.failed_runs.queue_url,
                "DeniedAccessUrl": self.denied.queue.queue_url if self.denied else None,
                "AlarmTopicArn": self.topic.topic_arn if self.topic else None,
                "KeyArn": self._key_arn,
                "KeptTokensKeyArn": self._kept_key,
                "DashboardName": self._parameters.stack_name if self._parameters.dashboard else None,
            }
        )
