"""Each check of the worker's stack holds in an account that keeps the assumption, and fails in one that breaks it."""

import json
import uuid
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from account import checks_worker as checks
from account.account import Contradicted, DeploymentFailed, NotChecked
from testbed.generated_names import LIMITS, generated_name
from testbed.testbed import PUBLISHED, TOKENS

World = Any  # of conftest.py
REGION, SPARE = "eu-central-1", "eu-west-1"


def pages(**page: Any) -> Any:
    return SimpleNamespace(paginate=lambda **_: [page])


@pytest.mark.parametrize(
    ("status", "holds"), [("InSync", True), ("InProgress", True), ("Failed", False), (None, False)]
)
def test_the_replica_of_an_empty_secret(world: World, *, status: str | None, holds: bool) -> None:
    """A replica that is missing or failed contradicts."""
    if status:
        world.testbed.store.secrets.replicate(PUBLISHED, eu_west_1=status)

    assert holds is _holds(checks.empty_replica, world)


@pytest.mark.parametrize(("state", "holds"), [("ALARM", True), ("INSUFFICIENT_DATA", False)])
def test_the_metric_filter(world: World, *, state: str, holds: bool) -> None:
    """The alarm on the filter's metric is raised, or the filter saw nothing."""
    world.services["cloudwatch"] = cloudwatch({"awaiting-authorization": state})

    assert holds is _holds(checks.metric_filter_counts, world)


def test_on_demand(world: World) -> None:
    """The real worker refreshes and publishes."""
    assert "refreshed and published" in checks.refreshed_on_demand(world.account)
    assert world.testbed.up_to_date


def test_on_demand_where_the_role_may_not_read(world: World) -> None:
    """A run that ends otherwise contradicts, and is told by its error's name alone."""
    world.testbed.store.fault("deny", "GetSecretValue", times=None)

    with pytest.raises(Contradicted) as said:
        checks.refreshed_on_demand(world.account)

    assert "a forced run ended as SecretAccessDenied" == str(said.value)


@pytest.mark.parametrize("runs", [True, False])
def test_by_schedule(world: World, *, runs: bool) -> None:
    """Due tokens are refreshed while time passes, or no schedule starts the function."""
    if runs:
        world.on_pause = world.scheduled

    assert runs is _holds(checks.refreshed_by_schedule, world)


@pytest.mark.parametrize("replicates", [True, False])
def test_the_replica(world: World, *, replicates: bool) -> None:
    """The new token arrives in the spare region, or old ones stay there in silence."""
    world.replicate()
    if replicates:
        world.on_pause = world.replicate

    assert replicates is _holds(checks.replica_in_sync, world)


def test_a_replica_that_reports_a_failure(world: World) -> None:
    """A replica that has the token, and says that it failed, contradicts."""

    def failed() -> None:
        world.replicate()
        world.testbed.store.secrets.replicate(PUBLISHED, eu_west_1="Failed")

    failed()
    world.on_pause = failed

    assert not _holds(checks.replica_in_sync, world)


@pytest.mark.parametrize("copied", [True, False])
def test_the_policy_of_a_replica(world: World, *, copied: bool) -> None:
    """The replica's policy is the primary's, or the page's advice is wrong."""
    world.replicate()
    for region, sid in ((REGION, "here"), (SPARE, "here" if copied else "there")):
        client = world.client("secretsmanager", region)
        client.put_resource_policy(SecretId=PUBLISHED, ResourcePolicy=json.dumps({"Sid": sid}))

    assert copied is _holds(checks.policy_replicated, world)


@pytest.mark.parametrize("how", ["as AWS says", "nothing encrypted anew", "worker locked out"])
def test_a_change_of_the_key(world: World, how: str) -> None:
    """Current tokens come under the new key and the worker refreshes; each of the two missing contradicts."""
    client = world.client("secretsmanager", REGION)
    client.update_secret(SecretId=TOKENS, KmsKeyId="old")

    def deploy(_stack: str, values: Mapping[str, str]) -> None:
        assert ("new", "old") == (values["kms_key"], values["previous_kms_keys"])
        if how != "nothing encrypted anew":
            client.update_secret(SecretId=TOKENS, KmsKeyId="new")
        if how == "worker locked out":
            world.testbed.store.fault("deny", "GetSecretValue", nth=2, times=None)

    world.on_deploy = deploy

    if how == "as AWS says":
        assert "one with another label stayed under the old key" in checks.key_changed(world.account)
    else:
        assert not _holds(checks.key_changed, world)


ARRIVED = "CloudTrail says GetSecretValue"


@pytest.mark.parametrize(
    ("refused", "queued", "trails", "ends"),
    [
        (True, [ARRIVED], ["trail"], None),
        (True, [], ["trail"], (Contradicted, "the refused call in the queue: not within")),
        (False, [ARRIVED], ["trail"], (Contradicted, "not among the operators can read")),
        (True, [ARRIVED], [], (NotChecked, "no CloudTrail trail")),
    ],
    ids=["as AWS says", "EventBridge can't use the queue's key", "a policy that refuses nobody", "no trail"],
)
def test_a_denied_read(
    world: World, *, refused: bool, queued: list[str], trails: list[str], ends: tuple[type[Exception], str] | None
) -> None:
    """A stranger is refused, and the refused call arrives in the queue; without a trail the check does not wait."""
    strangers(world, refused=refused)
    world.services["sqs"] = queue(*queued)
    world.services["cloudtrail"].describe_trails = lambda **_: {"trailList": [{"TrailARN": name} for name in trails]}

    if ends:
        with pytest.raises(ends[0], match=ends[1]):
            checks.denied_read_arrives(world.account)
    else:
        assert "refused, and in the queue" in checks.denied_read_arrives(world.account)


@pytest.mark.parametrize("refused", [True, False])
def test_the_role_outside_of_lambda(world: World, *, refused: bool) -> None:
    """The role is refused where no function calls, or stolen credentials read the secret; its trust is put back."""
    trust = {"Version": "2012-10-17", "Statement": [{"Principal": {"Service": "lambda.amazonaws.com"}}]}
    documents = [trust]
    world.services["iam"] = SimpleNamespace(
        get_role=lambda **_: {"Role": {"AssumeRolePolicyDocument": trust}},
        update_assume_role_policy=lambda **asked: documents.append(json.loads(asked["PolicyDocument"])),
    )
    strangers(world, refused=refused)

    assert refused is _holds(checks.refused_outside_lambda, world)
    assert [1, 2, 1] == [len(document["Statement"]) for document in documents]
    assert trust == documents[-1]


@pytest.mark.parametrize("broken", ["", "alarm", "composite", "stays"])
def test_the_alarms(world: World, broken: str) -> None:
    """Both alarms are raised and end; each that doesn't contradicts, and the provider is left as it was."""
    states = {"reauthorization-required": "OK", "runs-failing": "OK"}
    world.services["cloudwatch"] = cloudwatch(states)

    def follow() -> None:
        rejected = world.deployed[-1][1].get("rejected") == "True"
        for name, part in (("reauthorization-required", "alarm"), ("runs-failing", "composite")):
            if broken != part and (rejected or broken != "stays"):
                states[name] = "ALARM" if rejected else "OK"

    world.on_pause = follow

    assert (not broken) is _holds(checks.alarms_change, world)
    assert world.deployed[-1][1] == {"rejected": "False"}


@pytest.mark.parametrize("how", ["updates", "keeps the old tags", "fails"])
def test_an_update_of_tags(world: World, fails: Callable[..., None], how: str) -> None:
    """CloudFormation updates the tags, or the policy of the secret stops it."""
    client = world.client("secretsmanager", REGION)
    client.tag_resource(SecretId=TOKENS, Tags=[{"Key": "one", "Value": "1"}])

    def deploy(_stack: str, values: Mapping[str, str]) -> None:
        tags = [dict(zip(("Key", "Value"), tag.split("="), strict=True)) for tag in values["tags"].split(",")]
        client.tag_resource(SecretId=TOKENS, Tags=tags)

    world.on_deploy = {"updates": deploy, "keeps the old tags": world.on_deploy, "fails": fails}[how]

    assert (how == "updates") is _holds(checks.tags_updated, world)


@pytest.mark.parametrize("how", ["as here", "otherwise", "none"])
def test_generated_names(world: World, how: str) -> None:
    """Names are cut as the emulator cuts them, or a whole other way; named resources don't count."""
    stack = world.account.stack
    cut: dict[str, Callable[[str, str, int], str]] = {
        "as here": generated_name,
        "otherwise": lambda stack, logical_id, limit: f"{stack}-{logical_id}"[: limit - 13] + "-ABCDEFGHIJKL",
        "none": lambda *_: "named",
    }
    listed = [
        {
            "ResourceType": kind,
            "LogicalResourceId": "AQueueOrRuleWithALongLogicalId5E2F",
            "PhysicalResourceId": f"arn:x:{cut[how](stack, 'AQueueOrRuleWithALongLogicalId5E2F', limit)}",
        }
        for kind, (_, limit) in LIMITS.items()
    ]
    world.services["cloudformation"] = SimpleNamespace(get_paginator=lambda _: pages(StackResourceSummaries=listed))

    assert (how == "as here") is _holds(checks.generated_names, world)
    assert 45 == len(stack)


@pytest.mark.parametrize(
    ("types", "holds"), [((), True), (("AWS::Scheduler::Schedule",), True), (("AWS::SecretsManager::Secret",), False)]
)
def test_drift(world: World, *, types: tuple[str, ...], holds: bool) -> None:
    """Drift of schedules alone is known; any other is news."""
    statuses = iter(["DETECTION_IN_PROGRESS", "DETECTION_COMPLETE"])
    world.services["cloudformation"] = SimpleNamespace(
        detect_stack_drift=lambda **_: {"StackDriftDetectionId": "1"},
        describe_stack_drift_detection_status=lambda **_: {"DetectionStatus": next(statuses)},
        describe_stack_resource_drifts=lambda **_: {"StackResourceDrifts": [{"ResourceType": kind} for kind in types]},
    )

    assert holds is _holds(checks.drift, world)


@pytest.mark.parametrize("leaves_something", [False, True])
def test_a_second_creation(world: World, *, leaves_something: bool) -> None:
    """What failed is deleted and created again, or what it left is in the way."""

    def deploy(_stack: str, values: Mapping[str, str]) -> None:
        if "vpc_subnets" in values or leaves_something:
            raise DeploymentFailed("Secret: already exists")

    world.on_deploy = deploy

    assert (not leaves_something) is _holds(checks.created_again, world)
    assert ["trw-check-abc123-again"] == world.deleted


def test_a_creation_that_has_to_fail(world: World) -> None:
    """Where the first creation succeeds, nothing was checked."""
    with pytest.raises(NotChecked):
        checks.created_again(world.account)


@pytest.mark.parametrize("arrives", [True, False])
def test_dead_letters(world: World, *, arrives: bool) -> None:
    """An event for a function that isn't there arrives in the queue, or the schedule's role may not send it."""
    target = {"Arn": "arn:function", "RoleArn": "role", "DeadLetterConfig": {"Arn": "dead"}}
    made: list[dict[str, Any]] = []
    world.services["scheduler"] = SimpleNamespace(
        get_schedule=lambda **_: {"Target": target}, create_schedule=lambda **asked: made.append(asked)
    )
    world.services["sqs"] = queue(*(["{}"] if arrives else []))

    assert arrives is _holds(checks.dead_letters, world)
    assert ("arn:function-missing", "role", "DELETE") == (
        made[0]["Target"]["Arn"],
        made[0]["Target"]["RoleArn"],
        made[0]["ActionAfterCompletion"],
    )


def _holds(check: Callable[[Any], str], world: World) -> bool:
    try:
        check(world.account)
    except Contradicted:
        return False
    return True


def strangers(world: World, *, refused: bool) -> None:
    """Let a role be assumed at the second try, after which it may read what has no policy; the token secret, or not."""
    key, tries = f"ASIA{uuid.uuid4().hex[:12].upper()}", iter([False, True])
    credentials = {"AccessKeyId": key, "SecretAccessKey": "canary-key", "SessionToken": "canary-session"}

    def assume(**_: Any) -> dict[str, Any]:
        if not next(tries, True):
            raise world.refused("AssumeRole", "AccessDenied")
        return {"Credentials": credentials}

    world.services["sts"] = SimpleNamespace(assume_role=assume)
    world.services["cloudtrail"] = SimpleNamespace(
        describe_trails=lambda **_: {"trailList": [{"TrailARN": "trail"}]},
        get_trail_status=lambda **_: {"IsLogging": True},
    )
    world.testbed.store.authorize = lambda call: (
        "refused" if refused and call.access_key_id == key and call.secret_id == TOKENS else None
    )


def queue(*bodies: str) -> Any:
    return SimpleNamespace(receive_message=lambda **_: {"Messages": [{"Body": body} for body in bodies]})


def cloudwatch(states: Mapping[str, str]) -> Any:
    def described(AlarmNames: list[str], AlarmTypes: list[str]) -> dict[str, Any]:  # noqa: N803 - boto3's names
        assert {"MetricAlarm", "CompositeAlarm"} == set(AlarmTypes)
        found = [state for name, state in states.items() if any(alarm.endswith(f"-{name}") for alarm in AlarmNames)]
        return {"MetricAlarms": [], "CompositeAlarms": [{"StateValue": state} for state in found]}

    return SimpleNamespace(describe_alarms=described)
