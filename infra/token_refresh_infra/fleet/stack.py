"""`-c mode=fleet`: thousands of token secrets, kept fresh by one deployment; docs/fleet.md says how."""

from dataclasses import replace
from pathlib import Path

from constructs import Construct

from token_refresh_infra.access import only_from_function
from token_refresh_infra.constructs.denied_access import DeniedAccess
from token_refresh_infra.constructs.function import HANDLER, WorkerFunction
from token_refresh_infra.constructs.key import kept_tokens_key
from token_refresh_infra.constructs.schedule import Schedules
from token_refresh_infra.constructs.stack import DeployedStack
from token_refresh_infra.constructs.topic import alarm_topic
from token_refresh_infra.fleet.access import FleetAccess
from token_refresh_infra.fleet.alarms import FleetAlarms
from token_refresh_infra.fleet.parameters import FleetParameters
from token_refresh_infra.fleet.queue import FleetQueue, fleet_table

DISPATCHER = "token_refresh_worker.handlers.dispatch"
RESYNC = "token_refresh_worker.handlers.resync"
DISPATCHER_TIMEOUT_SECONDS = 180
"""A minute of its own, and before that the rest of the last one's."""
RESYNC_TIMEOUT_SECONDS = 900


class FleetStack(DeployedStack):
    """Table, queue, worker, dispatcher and resync of one fleet."""

    def __init__(self, scope: Construct, construct_id: str, *, parameters: FleetParameters, code: Path) -> None:
        super().__init__(
            scope,
            construct_id,
            parameters=parameters,
            description="Refreshes the OAuth 2.0 tokens of a fleet of secrets",
        )
        self._parameters, self._code = parameters, code
        self.table = fleet_table(self, parameters)
        self._kept_key = kept_tokens_key(self, parameters.kept_tokens_key_choice, table=parameters.fleet)
        keeps = {"KEPT_TOKENS_KEY_ID": self._kept_key} if self._kept_key else {}
        self.worker = self._function(
            "Worker", parameters, {**parameters.worker_variables, **keeps}, parameters.timeout_seconds
        )
        self.queue = FleetQueue(self, "Fleet", parameters=parameters, function=self.worker.function)
        roomy = replace(parameters, memory_mb=parameters.dispatcher_memory_mb, reserved_concurrency=0)
        variables = dict(parameters.dispatcher_variables)
        self.dispatcher = self._function(
            "Dispatcher",
            roomy,
            variables | {"FLEET_QUEUE_URL": self.queue.queue.queue_url},
            DISPATCHER_TIMEOUT_SECONDS,
            handler=DISPATCHER,
            description="Hands out the secrets of a fleet that are due",
        )
        self.resync = self._function(
            "Resync",
            roomy,
            variables,
            RESYNC_TIMEOUT_SECONDS,
            handler=RESYNC,
            description="Compares a fleet's index with the secrets that carry its tag",
        )
        self._grant()
        self._schedule()
        self._watch()
        self._show_outputs()

    def _function(
        self,
        name: str,
        parameters: FleetParameters,
        variables: dict[str, str],
        timeout_seconds: int,
        *,
        handler: str = HANDLER,
        description: str = "Refreshes one secret of a fleet for each message",
    ) -> WorkerFunction:
        suffix = "" if name == "Worker" else f"-{name.lower()}"
        return WorkerFunction(
            self,
            name,
            parameters=parameters,
            code=self._code,
            variables=variables,
            timeout_seconds=timeout_seconds,
            event_age_seconds=timeout_seconds,
            handler=handler,
            description=description,
            name=f"{parameters.stack_name}{suffix}",
            log_group_name=f"{parameters.log_group_name}{suffix}",
            log_key=parameters.kms_key if parameters.encrypt_logs else None,
        )

    def _grant(self) -> None:
        access = FleetAccess(
            parameters=self._parameters, table=self.table, queue=self.queue.queue, kept_key=self._kept_key
        )
        for made, grant, sends_to, keeps_with in (
            (self.worker, access.let_worker, None, self._kept_key),
            (self.dispatcher, access.let_dispatcher, self.queue.queue.queue_arn, None),
            (self.resync, access.let_resync, None, None),
        ):
            grant(made.role)
            only_from_function(made, made.role, made.function.function_arn, queue_arn=sends_to, keep_key=keeps_with)
        self.queue.source.node.add_dependency(self.worker.role)

    def _schedule(self) -> None:
        """Start the dispatcher each minute, and the resync every five."""
        name = self._parameters.stack_name
        self.schedules = Schedules(self, "Schedules", group_name=name, enabled=self._parameters.schedule_enabled)
        for what, function, every, seconds in (
            ("dispatch", self.dispatcher, "1 minute", 60),
            # ListSecrets may be five minutes behind: with as much again, somebody hears within 15 of who vanished.
            ("resync", self.resync, "5 minutes", 300),
        ):
            self.schedules.run(
                what, function.function, name=f"{name}-{what}", every=every, event_age_seconds=seconds, attempts=1
            )

    def _watch(self) -> None:
        parameters = self._parameters
        self.topic, self.denied = None, None
        if parameters.alarms:
            self.topic = alarm_topic(self, parameters=parameters, key=None)
            # CloudTrail doesn't say which tags a secret has.
            names = f"*{parameters.secrets_under}*" if parameters.secrets_under else "*"
            # One customer's key that refuses the worker would keep the alarm coming: that is a row, and an event.
            self.denied = DeniedAccess(self, "DeniedAccess", names=[names], but=self.worker.role)
        alarms = FleetAlarms(
            self,
            "Watch",
            parameters=parameters,
            functions={
                "worker": self.worker.function,
                "dispatcher": self.dispatcher.function,
                "resync": self.resync.function,
            },
            denied=self.denied,
            dead_letters={"fleet": self.queue.dead_letters, "schedules": self.schedules.dead_letters},
            log_group=self.worker.log_group,
        )
        if self.topic:
            alarms.announce(self.topic)
        if parameters.dashboard:
            alarms.draw()

    def _show_outputs(self) -> None:
        self.show(
            {
                "FleetName": self._parameters.fleet,
                "TableName": self.table.table_name,
                "QueueUrl": self.queue.queue.queue_url,
                "DeadLettersUrl": self.queue.dead_letters.queue_url,
                "DeniedAccessUrl": self.denied.queue.queue_url if self.denied else None,
                "FunctionName": self.worker.function.function_name,
                "DispatcherName": self.dispatcher.function.function_name,
                "ResyncName": self.resync.function.function_name,
                "AlarmTopicArn": self.topic.topic_arn if self.topic else None,
            }
        )
