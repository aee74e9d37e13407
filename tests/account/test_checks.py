"""Each check holds in an account that keeps its assumption, and fails in one that breaks it."""

import itertools
import json
import uuid
from collections.abc import Callable, Mapping
from email.utils import formatdate
from http import HTTPStatus
from types import SimpleNamespace
from typing import Any

import pytest

from account.account import Contradicted, DeploymentFailed, NotChecked
from account.run import CHECKS
from testbed.generated_names import LIMITS, generated_name
from testbed.secrets_manager.staleness import Staleness
from testbed.testbed import PUBLISHED, TOKENS

World = Any  # of conftest.py
REGION, SPARE = "eu-central-1", "eu-west-1"


def cloudwatch(states: Mapping[str, str]) -> Any:
    def described(AlarmNames: list[str], AlarmTypes: list[str]) -> dict[str, Any]:  # noqa: N803 - boto3's names
        assert {"MetricAlarm", "CompositeAlarm"} == set(AlarmTypes)
        found = [{"StateValue": state} for name, state in states.items() if any(a.endswith(name) for a in AlarmNames)]
        return {"MetricAlarms": [], "CompositeAlarms": found}

    return SimpleNamespace(describe_alarms=described)


def queue(*bodies: str) -> Any:
    return SimpleNamespace(receive_message=lambda **_: {"Messages": [{"Body": body} for body in bodies]})


def strangers(world: World, *, refused: bool) -> None:
    """Let a role be assumed at the second try, after which it may read what has no policy; the token secret, or not."""
    key, tries = f"ASIA{uuid.uuid4().hex[:12].upper()}", iter([False, True])

    def assume(**_: Any) -> dict[str, Any]:
        if not next(tries, True):
            raise world.refused("AssumeRole", "AccessDenied")
        return {"Credentials": {"AccessKeyId": key, "SecretAccessKey": "canary-key", "SessionToken": "canary-session"}}

    trust = {"Version": "2012-10-17", "Statement": [{"Principal": {"Service": "lambda.amazonaws.com"}}]}
    trusts = [trust]
    world.services |= {
        "sts": SimpleNamespace(assume_role=assume),
        "iam": SimpleNamespace(
            get_role=lambda **_: {"Role": {"AssumeRolePolicyDocument": trust}},
            update_assume_role_policy=lambda **asked: trusts.append(json.loads(asked["PolicyDocument"])),
            trusts=trusts,
        ),
        "cloudtrail": SimpleNamespace(
            describe_trails=lambda **_: {"trailList": [{"TrailARN": "trail"}]},
            get_trail_status=lambda **_: {"IsLogging": True},
        ),
        "sqs": queue("CloudTrail says GetSecretValue"),
    }
    world.testbed.store.authorize = lambda call: (
        "refused" if refused and call.access_key_id == key and call.secret_id == TOKENS else None
    )


class Case:
    """How an account keeps or breaks what each check assumes: a method for each check."""

    def __init__(self, world: World, *, broken: bool) -> None:
        self.world, self.broken, self.secrets = world, broken, world.client("secretsmanager", REGION)

    def empty_replica(self) -> None:
        self.world.testbed.store.secrets.replicate(PUBLISHED, eu_west_1="Failed" if self.broken else "InSync")

    def metric_filter_counts(self) -> None:
        state = "INSUFFICIENT_DATA" if self.broken else "ALARM"
        self.world.services["cloudwatch"] = cloudwatch({"awaiting-authorization": state})

    def refreshed_on_demand(self) -> None:
        if self.broken:
            self.world.testbed.store.fault("deny", "GetSecretValue", times=None)

    def refreshed_by_schedule(self) -> None:
        if not self.broken:
            self.world.on_pause = self.world.scheduled

    def replica_in_sync(self) -> None:
        self.world.replicate()
        if not self.broken:
            self.world.on_pause = self.world.replicate

    def policy_replicated(self) -> None:
        self.world.replicate()
        for region in (REGION, SPARE):
            policy = json.dumps({"Sid": region if self.broken else "same"})
            client = self.world.client("secretsmanager", region)
            client.put_resource_policy(SecretId=PUBLISHED, ResourcePolicy=policy)

    def generated_names(self) -> None:
        logical_id = "AQueueOrRuleWithALongLogicalId5E2F"

        def cut(limit: int) -> str:
            otherwise = f"{self.world.account.stack}-{logical_id}"[: limit - 13] + "-ABCDEFGHIJKL"
            return otherwise if self.broken else generated_name(self.world.account.stack, logical_id, limit)

        of = {"LogicalResourceId": logical_id}
        listed = [of | {"ResourceType": k, "PhysicalResourceId": f"arn:x:{cut(n)}"} for k, (_, n) in LIMITS.items()]
        pages = SimpleNamespace(paginate=lambda **_: [{"StackResourceSummaries": listed}])
        self.world.services["cloudformation"] = SimpleNamespace(get_paginator=lambda _: pages)

    def denied_read_arrives(self) -> None:
        strangers(self.world, refused=not self.broken)

    def refused_outside_lambda(self) -> None:
        strangers(self.world, refused=not self.broken)

    def dead_letters(self) -> None:
        target = {"Arn": "arn:function", "RoleArn": "role", "DeadLetterConfig": {"Arn": "dead"}}
        self.world.services |= {
            "scheduler": SimpleNamespace(get_schedule=lambda **_: {"Target": target}, create_schedule=lambda **_: None),
            "sqs": queue(*([] if self.broken else ["{}"])),
        }

    def tags_updated(self) -> None:
        self.secrets.tag_resource(SecretId=TOKENS, Tags=[{"Key": "one", "Value": "1"}])
        if not self.broken:
            tag = {"SecretId": TOKENS, "Tags": [{"Key": "second", "Value": "yes"}]}
            self.world.on_deploy = lambda *_: self.secrets.tag_resource(**tag)

    def key_changed(self) -> None:
        self.secrets.update_secret(SecretId=TOKENS, KmsKeyId="old")
        if not self.broken:
            self.world.on_deploy = lambda *_: self.secrets.update_secret(SecretId=TOKENS, KmsKeyId="new")

    def alarms_change(self) -> None:
        states = {"reauthorization-required": "OK", "runs-failing": "OK"}
        self.world.services["cloudwatch"] = cloudwatch(states)

        def follow() -> None:
            rejected = self.world.deployed[-1][1].get("rejected") == "True"
            followed = list(states)[: 1 if self.broken else 2]  # the composite alarm never
            states.update(dict.fromkeys(followed, "ALARM" if rejected else "OK"))

        self.world.on_pause = follow

    def drift(self) -> None:
        kind = "AWS::SecretsManager::Secret" if self.broken else "AWS::Scheduler::Schedule"
        statuses = iter(["DETECTION_IN_PROGRESS", "DETECTION_COMPLETE"])
        self.world.services["cloudformation"] = SimpleNamespace(
            detect_stack_drift=lambda **_: {"StackDriftDetectionId": "1"},
            describe_stack_drift_detection_status=lambda **_: {"DetectionStatus": next(statuses)},
            describe_stack_resource_drifts=lambda **_: {"StackResourceDrifts": [{"ResourceType": kind}]},
        )

    def created_again(self) -> None:
        def deploy(_stack: str, values: Mapping[str, str]) -> None:
            if "vpc_subnets" in values or self.broken:
                raise DeploymentFailed("Secret: already exists")

        self.world.on_deploy = deploy

    def clocks(self) -> None:
        store, table = self.world.testbed.store, self.world.testbed.table
        headers: Callable[[], Any] = lambda: {"HTTPHeaders": {"date": formatdate(store.now(), usegmt=True)}}  # noqa: E731 - the time of each call
        sts = SimpleNamespace(get_caller_identity=lambda: {"ResponseMetadata": headers()})
        self.world.services |= {"dynamodb": table.client(), "sts": sts}
        table.clock_offset_seconds += 120 if self.broken else 0

    def stale_reads(self) -> None:
        self.world.testbed.store.staleness = Staleness(writes=1, seconds=1e9, likelihood=0.2)
        if self.broken:
            self.world.account.now = itertools.count(0, 301).__next__

    def full_secret(self) -> None:
        if self.broken:
            self.world.testbed.store.secrets.quota = 50

    def webhook_received(self) -> None:
        statuses = iter([HTTPStatus.OK, HTTPStatus.OK if self.broken else HTTPStatus.UNAUTHORIZED])
        self.world.made |= {"Url": "https://receiver.example", "QueueUrl": "queue"}
        self.world.account.post = lambda *_, **__: SimpleNamespace(status_code=next(statuses))
        limit = {"AccountLimit": {"ConcurrentExecutions": 1000}}
        self.world.services |= {"lambda": SimpleNamespace(get_account_settings=lambda: limit), "sqs": queue("{}")}

    def conformance(self) -> None:
        said = (
            "echo '1 failed, 2 passed'; echo 'FAILED a.py::test_promotion'; exit 1" if self.broken else "echo 3 passed"
        )
        self.world.account.conformance = ("sh", "-c", said)


@pytest.mark.parametrize("broken", [False, True], ids=["kept", "broken"])
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_a_check_holds_and_can_fail(world: World, check: Callable[[Any], str], *, broken: bool) -> None:
    """Where the account does otherwise the check says so; what it changed is put back either way."""
    getattr(Case(world, broken=broken), check.__name__)()

    if broken:
        with pytest.raises(Contradicted) as said:
            check(world.account)
        assert "canary" not in str(said.value)
    else:
        assert check(world.account)
    if check.__name__ == "refused_outside_lambda":
        trusts = world.services["iam"].trusts
        assert ([1, 2, 1], trusts[0]) == ([len(trust["Statement"]) for trust in trusts], trusts[-1])
    if check.__name__ == "alarms_change":
        assert ("reject", {"rejected": "False"}) == world.deployed[-1]


def test_what_can_not_be_checked_is_said(world: World) -> None:
    """Without a trail, with a new account's quota, or after a creation that had to fail, nothing is claimed."""
    Case(world, broken=False).denied_read_arrives()
    world.services["cloudtrail"].describe_trails = lambda **_: {"trailList": []}
    new = {"AccountLimit": {"ConcurrentExecutions": 10}}
    world.services["lambda"] = SimpleNamespace(get_account_settings=lambda: new)

    for name in ("denied_read_arrives", "webhook_received", "created_again"):
        (check,) = [check for check in CHECKS if check.__name__ == name]
        with pytest.raises(NotChecked):
            check(world.account)
