"""AWS as `doctor` looks at it: an account at moto, and servers for what moto does not have."""

import base64
import io
import json
import zipfile
from typing import Any
from urllib.parse import parse_qs

import boto3

from cli.scene import SECRET_ID
from testbed.aws_lambda.function import Function
from testbed.loopback import LoopbackHandler, LoopbackServer

KEYS = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing", "region_name": "eu-central-1"}


class Simulator(LoopbackServer):
    """IAM's policy simulator, which moto does not have: it denies what a test says.

    And everything, as the stack's own policy does, unless it is the function's code that asks.
    """

    def __init__(self) -> None:
        super().__init__(_Simulate)
        self.denied: set[str] = set()
        self.context: dict[str, list[str]] = {}
        """The context entries of the last request that had any."""
        self.asked: list[str] = []
        """The resources."""
        self.refuser: str | None = None
        """What denies what is denied: `Organizations` or `PermissionsBoundary`; None: the role's own policies."""


class _Simulate(LoopbackHandler):
    server: Simulator

    def do_POST(self) -> None:  # noqa: N802 - named by http.server
        form = parse_qs(self.read_body().decode())
        actions = [values[0] for name, values in sorted(form.items()) if name.startswith("ActionNames.")]
        for place in range(1, 10):
            name = form.get(f"ContextEntries.member.{place}.ContextKeyName", [""])[0]
            values = f"ContextEntries.member.{place}.ContextKeyValues."
            if name:
                self.server.context[name] = [form[key][0] for key in sorted(form) if key.startswith(values)]
        self.server.asked += form["ResourceArns.member.1"]
        code = {"lambda:SourceFunctionArn", *actions} <= {value for values in form.values() for value in values}
        members = "".join(
            f"<member><EvalActionName>{action}</EvalActionName><EvalDecision>"
            f"{'implicitDeny' if action in self.server.denied else 'allowed' if code else 'explicitDeny'}"
            f"</EvalDecision>{self._details(action)}</member>"
            for action in actions
        )
        result = f"<EvaluationResults>{members}</EvaluationResults><IsTruncated>false</IsTruncated>"
        text = (
            '<SimulatePrincipalPolicyResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">'
            f"<SimulatePrincipalPolicyResult>{result}</SimulatePrincipalPolicyResult></SimulatePrincipalPolicyResponse>"
        )
        self.respond(200, text.encode(), {"Content-Type": "text/xml"})

    def _details(self, action: str) -> str:
        refuser = self.server.refuser if action in self.server.denied else None
        allowed = {name: str(name != refuser).lower() for name in ("Organizations", "PermissionsBoundary")}
        return "".join(
            f"<{name}DecisionDetail><AllowedBy{name}>{allowed[name]}</AllowedBy{name}></{name}DecisionDetail>"
            for name in allowed
        )


class Account:
    """An AWS account with the function in it, at moto."""

    def __init__(self, url: str, **variables: str) -> None:
        self.url = url
        self.arn = ""
        self.variables = {"TOKEN_SECRET_ID": SECRET_ID} | variables

    def client(self, service: str) -> Any:
        return boto3.client(service, endpoint_url=self.url, **KEYS)  # type: ignore[call-overload]  # any service

    def deploy(self, *, variables: dict[str, str] | None = None, **changes: Any) -> None:
        """Deploy the function, with the settings of the command line unless a test changes some."""
        role = self.client("iam").create_role(RoleName="worker", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as archive:
            archive.writestr("handler.py", "")
        options = {"Timeout": 60, "Environment": {"Variables": self.variables | (variables or {})}} | changes
        self.arn = self.client("lambda").create_function(
            FunctionName="worker",
            Runtime="python3.13",
            Role=role,
            Handler="handler.handler",
            Code={"ZipFile": code.getvalue()},
            **options,
        )["FunctionArn"]

    def queue(self, name: str, *messages: str) -> str:
        """Make a queue with messages in it; gives its ARN."""
        sqs = self.client("sqs")
        url = sqs.create_queue(QueueName=name)["QueueUrl"]
        for message in messages:
            sqs.send_message(QueueUrl=url, MessageBody=message)
        return str(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"])

    def keep_failed_runs(self, queue_arn: str) -> None:
        self.client("lambda").put_function_event_invoke_config(
            FunctionName="worker", DestinationConfig={"OnFailure": {"Destination": queue_arn}}
        )

    def schedule(
        self,
        name: str = "worker",
        *,
        target: str | None = None,
        state: str = "ENABLED",
        dead_letters: str | None = None,
    ) -> None:
        kept = {"DeadLetterConfig": {"Arn": dead_letters}} if dead_letters else {}
        self.client("scheduler").create_schedule(
            Name=name,
            ScheduleExpression="rate(30 minutes)",
            FlexibleTimeWindow={"Mode": "OFF"},
            State=state,
            Target={"Arn": target or self.arn, "RoleArn": "arn:aws:iam::123456789012:role/scheduler", **kept},
        )

    def alarm(self, state: str = "OK", name: str = "renewal-overdue", **changes: Any) -> None:
        """Make an alarm, by default on one of the secret's metrics."""
        cloudwatch = self.client("cloudwatch")
        metric = {
            "Namespace": "TokenRefresh",
            "MetricName": "SecondsToExpiry",
            "Dimensions": [{"Name": "SecretId", "Value": SECRET_ID}],
            "Period": 60,
            "Statistic": "Minimum",
        }
        cloudwatch.put_metric_alarm(
            AlarmName=name,
            ComparisonOperator="LessThanThreshold",
            EvaluationPeriods=1,
            Threshold=1,
            **(changes if "Metrics" in changes else metric | changes),
        )
        cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason="a test's")

    def topic(self, *addresses: str) -> str:
        """Make a topic with subscriptions, which moto confirms at once; gives its ARN."""
        sns = self.client("sns")
        arn = str(sns.create_topic(Name="alarms")["TopicArn"])
        for address in addresses:
            sns.subscribe(TopicArn=arn, Protocol="email", Endpoint=address)
        return arn


class Aws(LoopbackServer):
    """Lambda and Scheduler where a test needs what moto lacks; everything else is refused."""

    def __init__(self) -> None:
        super().__init__(_Aws)
        self.schedules: list[dict[str, Any]] = []
        self.sts_error: str | None = None
        """The error code that STS responds with; None: nothing that STS would say."""
        self.deployed: Function | None = None
        """What runs where the function is invoked."""
        self.response: tuple[str | None, bytes] | None = None
        """An error's kind and a payload, sent in place of the function's."""
        self.status = 200
        self.events: list[Any] = []
        """What the function was invoked with."""
        self.function: dict[str, Any] = {"FunctionArn": "arn", "Role": "role", "FunctionName": "worker"}
        self.function_tags: dict[str, str] = {}
        self.shows_function = True
        """Whether the caller may read the function's configuration."""


class _Aws(LoopbackHandler):
    server: Aws

    def do_GET(self) -> None:  # noqa: N802 - named by http.server
        name, shown = self.server.function["FunctionName"], self.server.shows_function
        if shown and f"/functions/{name}/configuration" in self.path:
            self.respond(200, json.dumps(self.server.function).encode())
        elif name in self.path and "/tags/" in self.path:
            self.respond(200, json.dumps({"Tags": self.server.function_tags}).encode())
        elif name not in self.path and ("/tags/" in self.path or (shown and "/configuration" in self.path)):
            self.respond(404, b"{}", {"x-amzn-ErrorType": "ResourceNotFoundException"})
        elif "/schedules" in self.path and self.server.schedules:
            self.respond(200, json.dumps(self.server.schedules.pop(0)).encode())
        else:
            self.respond(403, b"{}", {"x-amzn-ErrorType": "AccessDeniedException"})

    def do_POST(self) -> None:  # noqa: N802 - named by http.server
        body = self.read_body()
        if self.server.sts_error is not None and b"GetCallerIdentity" in body:
            error = f"<Error><Type>Sender</Type><Code>{self.server.sts_error}</Code></Error>"
            return self.respond(403, f"<ErrorResponse>{error}</ErrorResponse>".encode(), {"Content-Type": "text/xml"})
        if self.server.deployed is None or "/invocations" not in self.path:
            return self.respond(403, b"{}", {"x-amzn-ErrorType": "AccessDenied"})
        self.server.events.append(json.loads(body))
        if self.server.response is not None:
            kind, payload = self.server.response
            return self.respond(self.server.status, payload, {"X-Amz-Function-Error": kind} if kind else {})
        invocation = self.server.deployed.invoke(self.server.events[-1])
        headers = {"X-Amz-Log-Result": base64.b64encode("\n".join(invocation.logs).encode()).decode()}
        if invocation.error_type is None:
            return self.respond(200, json.dumps(invocation.payload).encode(), headers)
        error_fields = {"errorType": invocation.error_type, "errorMessage": invocation.error_message}
        return self.respond(200, json.dumps(error_fields).encode(), headers | {"X-Amz-Function-Error": "Unhandled"})
