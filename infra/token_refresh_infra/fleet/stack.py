"""`-c mode=fleet`: thousands of token secrets, kept fresh by one deployment; docs/fleet.md has the picture."""

from dataclasses import replace
from pathlib import Path

from aws_cdk import CfnOutput, Environment, Stack, Tags
from constructs import Construct

from token_refresh_infra.access import only_from_function
from token_refresh_infra.constructs.function import WorkerFunction
from token_refresh_infra.constructs.topic import alarm_topic
from token_refresh_infra.fleet.access import FleetAccess
from token_refresh_infra.fleet.alarms import FleetWatch
from token_refresh_infra.fleet.parameters import FleetParameters
from token_refresh_infra.fleet.queue import FleetQueue, FleetSchedules, fleet_table

DISPATCHER = "token_refresh_worker.handlers.dispatch"
RESYNC = "token_refresh_worker.handlers.resync"
DISPATCHER_TIMEOUT_SECONDS = 120
RESYNC_TIMEOUT_SECONDS = 900


class FleetStack(Stack):
    """Table, queue, worker, dispatcher and resync of one fleet."""

    def __init__(self, scope: Construct, construct_id: str, *, parameters: FleetParameters, code: Path) -> None:
        super().__init__(
            scope,
            construct_id,
            stack_name=parameters.stack_name,
            description="Refreshes the OAuth 2.0 tokens of a fleet of secrets",
            env=Environment(account=parameters.account, region=parameters.region),
        )
        Tags.of(self).add("environment", parameters.environment)
        self._parameters, self._code = parameters, code
        self.table = fleet_table(self, parameters)
        self.worker = self._function(
            "Worker", parameters, dict(parameters.worker_variables), parameters.timeout_seconds
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
        self.schedules = FleetSchedules(
            self,
            "Schedules",
            parameters=parameters,
            dispatcher=self.dispatcher.function,
            resync=self.resync.function,
        )
        self._watch()
        self._show_outputs()

    def _function(
        self,
        name: str,
        parameters: FleetParameters,
        variables: dict[str, str],
        timeout_seconds: int,
        *,
        handler: str = "token_refresh_worker.handlers.refresh",
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
            log_group_name=f"{parameters.log_group_name}{suffix}",
            log_key=parameters.kms_key if parameters.encrypt_logs else None,
        )

    def _grant(self) -> None:
        access = FleetAccess(parameters=self._parameters, table=self.table, queue=self.queue.queue)
        for made, grant in (
            (self.worker, access.let_worker),
            (self.dispatcher, access.let_dispatcher),
            (self.resync, access.let_resync),
        ):
            grant(made.role)
            only_from_function(made, made.role, made.function.function_arn)
        self.queue.source.node.add_dependency(self.worker.role)

    def _watch(self) -> None:
        parameters = self._parameters
        watch = FleetWatch(
            self,
            "Watch",
            parameters=parameters,
            functions={
                "worker": self.worker.function,
                "dispatcher": self.dispatcher.function,
                "resync": self.resync.function,
            },
            dead_letters={"fleet": self.queue.dead_letters, "schedules": self.schedules.dead_letters},
        )
        self.topic = alarm_topic(self, parameters=parameters, key=None) if parameters.alarms else None
        if self.topic:
            watch.announce(self.topic)
        if parameters.dashboard:
            watch.draw()

    def _show_outputs(self) -> None:
        outputs = {
            "FleetName": self._parameters.fleet,
            "TableName": self.table.table_name,
            "QueueUrl": self.queue.queue.queue_url,
            "DeadLettersUrl": self.queue.dead_letters.queue_url,
            "FunctionName": self.worker.function.function_name,
            "DispatcherName": self.dispatcher.function.function_name,
            "ResyncName": self.resync.function.function_name,
            "AlarmTopicArn": self.topic.topic_arn if self.topic else None,
        }
        for name, value in outputs.items():
            if value is not None:
                CfnOutput(self, name, value=value)
