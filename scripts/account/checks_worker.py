"""What is checked on the worker's stack. Each check returns what it saw, or raises `Contradicted` or `NotChecked`."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from account.account import Account, Contradicted, DeploymentFailed, NotChecked
from testbed.generated_names import LIMITS, RANDOM, generated_name

KEPT_LABEL = "ACCOUNT_CHECK"
TAG = "token-refresh-account-check"
"""A tag of all that the deployments make, so that a sweep finds keys. Its value is the run's prefix."""
_DENIED = "AccessDeniedException"
_NO_SUBNET = {"vpc_subnets": "subnet-0123456789abcdef0", "vpc_security_groups": "sg-0123456789abcdef0"}


def empty_replica(account: Account) -> str:
    """A published secret without a value has its replica."""
    there = account.spare_region
    status = account.wait_for("a replica of the empty secret", lambda: _replicas(account).get(there), minutes=5)
    if status == "Failed":
        raise Contradicted("the replica of the empty secret failed")
    return f"the replica of the empty secret is {status}"


def metric_filter_counts(account: Account) -> str:
    """A metric filter counts the line of a run that found no value, and its alarm is raised."""
    _wait_for_state(account, "ALARM", "awaiting-authorization")
    return "a filter counted the JSON line of a run without a value"


def refreshed_on_demand(account: Account) -> str:
    """A forced run refreshes and publishes."""
    before = account.authorize()
    seconds = account.refresh()
    after = account.access_token("TokenSecretId")
    if after == before or after != account.access_token("PublishedSecretId"):
        raise Contradicted("the run says that it refreshed, and tokens or copy are old")
    return f"refreshed and published in {seconds:.1f} s"


def refreshed_by_schedule(account: Account) -> str:
    """The deployed schedule refreshes tokens that are due."""
    before, began = account.authorize(expires_in_seconds=60), account.now()
    account.wait_for("a refresh by the schedule", lambda: account.access_token("TokenSecretId") != before, minutes=10)
    return f"refreshed {account.now() - began:.0f} s after the tokens were stored"


def replica_in_sync(account: Account) -> str:
    """The replica, under a key of its own, has the new access token."""
    account.refresh()
    expected, began = account.access_token("PublishedSecretId"), account.now()

    def arrived() -> bool:
        return account.access_token("PublishedSecretId", account.spare_region) == expected

    account.wait_for(f"the new token in {account.spare_region}", arrived, minutes=10)
    status = _replicas(account).get(account.spare_region)
    if status != "InSync":
        raise Contradicted(f"the replica has the new token, and its status is {status}")
    return f"in sync after {account.now() - began:.0f} s"


def policy_replicated(account: Account) -> str:
    """The replica has the policy of its primary, which lists the roles of the first region."""
    here, there = (_policy(account, region) for region in (account.region, account.spare_region))
    if here != there:
        raise Contradicted("the replica's policy is not that of its primary")
    return "the replica has the primary's policy"


def key_changed(account: Account) -> str:
    """After a change of the key, with the old one in `previous_kms_keys`, the next run refreshes."""
    client, secret = account.client("secretsmanager"), account.outputs["TokenSecretId"]
    kept = client.put_secret_value(SecretId=secret, SecretString="{}", VersionStages=[KEPT_LABEL])["VersionId"]
    before = account.versions(secret)[kept]
    account.deploy_worker(kms_key=account.outputs["NextKeyArn"], previous_kms_keys=account.outputs["KeyArn"])
    current = client.get_secret_value(SecretId=secret, VersionStage="AWSCURRENT")["VersionId"]
    keys = account.versions(secret)
    if keys[current] == before:
        raise Contradicted("the current version is still under the old key")
    seconds = account.refresh()
    stayed = "stayed under the old key" if keys[kept] == before else "came under the new key, too"
    return f"the current version is under the new key, one with another label {stayed}; refreshed in {seconds:.1f} s"


def denied_read_arrives(account: Account) -> str:
    """A role that is not among the operators is refused, and the refused call arrives in the encrypted queue."""
    if not _has_trail(account):
        raise NotChecked("there is no CloudTrail trail in the region, without which no event arrives")
    control = account.scratch("control", "readable")
    stranger = _assumed(account, account.outputs["StrangerRoleArn"])
    account.wait_for("the stranger's permission", lambda: not _refused(stranger, control), minutes=5)
    if not _refused(stranger, account.outputs["TokenSecretId"]):
        raise Contradicted("who is not among the operators can read the token secret")
    began = account.now()
    _message(account, "DeniedAccessUrl", "the refused call in the queue", containing="GetSecretValue", minutes=30)
    return f"refused, and in the queue after {account.now() - began:.0f} s"


def refused_outside_lambda(account: Account) -> str:
    """The worker's own role, assumed outside of Lambda, reads nothing; its trust is put back."""
    iam = account.client("iam")
    function = account.client("lambda").get_function_configuration(FunctionName=account.outputs["FunctionName"])
    name = function["Role"].rpartition("/")[2]
    trust = iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
    ours = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": account.outputs["CallerArn"]}}
    changed = {**trust, "Statement": [*trust["Statement"], ours]}
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(changed))
    try:
        outside = _assumed(account, function["Role"])
        if not _refused(outside, account.outputs["TokenSecretId"]):
            raise Contradicted("the worker's role can read the token secret outside of Lambda")
    finally:
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(trust))
    return "refused; in Lambda the same role refreshes"


def alarms_change(account: Account) -> str:
    """A rejected grant raises its alarm and, as runs fail, the one around others; both end after an authorization."""
    watched = ("reauthorization-required", "runs-failing")
    account.provider.reject(rejected=True)
    try:
        account.authorize(expires_in_seconds=60)
        _wait_for_state(account, "ALARM", *watched)
    finally:
        account.provider.reject(rejected=False)
        account.authorize()
    _wait_for_state(account, "OK", *watched)
    return "an alarm and the one around others went to ALARM and back to OK"


def tags_updated(account: Account) -> str:
    """CloudFormation updates the tags of a secret whose policy lists operators."""
    try:
        account.deploy_worker(tags=f"{account.values['tags']},second=yes")
    except DeploymentFailed as failed:
        raise Contradicted(f"the update failed: {failed}") from None
    described = account.client("secretsmanager").describe_secret(SecretId=account.outputs["TokenSecretId"])
    if {"Key": "second", "Value": "yes"} not in described["Tags"]:
        raise Contradicted("the update succeeded, and the secret has no new tag")
    return "a tag was added by an update of the stack"


def generated_names(account: Account) -> str:
    """Names that CloudFormation made are cut as the tests' emulator cuts them."""
    pages = account.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=account.stack)
    compared = 0
    for resource in [r for page in pages for r in page["StackResourceSummaries"] if r["ResourceType"] in LIMITS]:
        name = resource["PhysicalResourceId"].replace("/", ":").rpartition(":")[2]
        limit = LIMITS[resource["ResourceType"]][1]
        head = generated_name(account.stack, resource["LogicalResourceId"], limit)[:-RANDOM]
        if "-" not in name or len(name.rpartition("-")[2]) < RANDOM:
            continue  # the template names it
        compared += 1
        if not name.startswith(head):
            raise Contradicted(f"{resource['ResourceType']} {resource['LogicalResourceId']} is named {name}")
    if not compared:
        raise Contradicted("no resource of the stack has a name that CloudFormation made")
    return f"{compared} names are cut as the emulator of the tests cuts them"


def drift(account: Account) -> str:
    """Of a stack that nobody changed, drift detection reports schedules at most."""
    client = account.client("cloudformation")
    detection = client.detect_stack_drift(StackName=account.stack)["StackDriftDetectionId"]

    def ended() -> bool:
        described = client.describe_stack_drift_detection_status(StackDriftDetectionId=detection)
        return bool(described["DetectionStatus"] != "DETECTION_IN_PROGRESS")

    account.wait_for("the end of the drift detection", ended, minutes=10)
    drifts = client.describe_stack_resource_drifts(
        StackName=account.stack, StackResourceDriftStatusFilters=["MODIFIED", "DELETED"]
    )["StackResourceDrifts"]
    types = sorted({drifted["ResourceType"] for drifted in drifts})
    if unexpected := [kind for kind in types if not kind.startswith("AWS::Scheduler::")]:
        raise Contradicted(f"drift is reported for {', '.join(unexpected)}")
    return f"drift is reported for {', '.join(types) or 'nothing'}"


def created_again(account: Account) -> str:
    """A creation that fails is deleted, and the same stack can be created at once."""
    stack = f"{account.prefix}-again"
    values = {name: account.values[name] for name in ("environment", "tags")} | {"service": stack}
    try:
        account.deployments.deploy(stack, values | _NO_SUBNET)
    except DeploymentFailed:
        account.deployments.delete(stack)
    else:
        raise NotChecked("the creation that has to fail succeeded")
    try:
        account.deployments.deploy(stack, values)
    except DeploymentFailed as failed:
        raise Contradicted(f"the second creation failed: {failed}") from None
    return "created at once after a creation that failed"


def dead_letters(account: Account) -> str:
    """An event that the schedule's role may not deliver arrives in the queue of dead letters."""
    scheduler, name = account.client("scheduler"), account.outputs["ScheduleName"]
    target = scheduler.get_schedule(Name=name, GroupName=name)["Target"]
    once = {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60}
    scheduler.create_schedule(
        Name=f"{account.prefix}-undelivered",
        GroupName=name,
        ScheduleExpression=f"at({datetime.now(UTC) + timedelta(minutes=1):%Y-%m-%dT%H:%M:%S})",
        FlexibleTimeWindow={"Mode": "OFF"},
        ActionAfterCompletion="DELETE",
        Target=target | {"Arn": f"{target['Arn']}-missing", "RetryPolicy": once},
    )
    _message(account, "DeadLettersUrl", "the undelivered event in the queue", containing="", minutes=15)
    return "an undelivered event is in the queue"


def _replicas(account: Account) -> dict[str, str]:
    described = account.client("secretsmanager").describe_secret(SecretId=account.outputs["PublishedSecretId"])
    return {replica["Region"]: replica["Status"] for replica in described.get("ReplicationStatus", ())}


def _policy(account: Account, region: str) -> object:
    client = account.client("secretsmanager", region=region)
    return json.loads(client.get_resource_policy(SecretId=account.outputs["PublishedSecretId"])["ResourcePolicy"])


def _has_trail(account: Account) -> bool:
    client = account.client("cloudtrail")
    trails = client.describe_trails(includeShadowTrails=True)["trailList"]
    return any(client.get_trail_status(Name=trail["TrailARN"])["IsLogging"] for trail in trails)


def _assumed(account: Account, role_arn: str) -> Any:
    """Return a client of Secrets Manager with a role, which may not be known everywhere yet."""

    def assume() -> Mapping[str, str] | None:
        try:
            asked: Mapping[str, Any] = account.client("sts").assume_role(RoleArn=role_arn, RoleSessionName="check")
        except ClientError as error:
            if error.response["Error"]["Code"] == "AccessDenied":
                return None
            raise
        return asked["Credentials"]  # type: ignore[no-any-return]  # boto3's clients are typed for each service's name

    given = account.wait_for("the right to assume the role", assume, minutes=3)
    names = {"access_key_id": "AccessKeyId", "secret_access_key": "SecretAccessKey", "session_token": "SessionToken"}
    return account.client("secretsmanager", credentials={f"aws_{name}": given[key] for name, key in names.items()})


def _refused(client: Any, secret: str) -> bool:
    try:
        client.get_secret_value(SecretId=secret, VersionStage="AWSCURRENT")
    except ClientError as error:
        if error.response["Error"]["Code"] == _DENIED:
            return True
        raise
    return False


def _message(account: Account, output: str, what: str, *, containing: str, minutes: int) -> None:
    client, url = account.client("sqs"), account.outputs[output]

    def received() -> bool:
        messages = client.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", ())
        return any(containing in message["Body"] for message in messages)

    account.wait_for(what, received, minutes=minutes)


def _wait_for_state(account: Account, state: str, *alarms: str) -> None:
    """Wait until alarms of the stack are in a state, whether they watch a metric or other alarms."""
    names, types = [f"{account.stack}-{alarm}" for alarm in alarms], ["MetricAlarm", "CompositeAlarm"]

    def reached() -> bool:
        found = account.client("cloudwatch").describe_alarms(AlarmNames=names, AlarmTypes=types)
        states = [alarm["StateValue"] for alarm in (*found["MetricAlarms"], *found["CompositeAlarms"])]
        return states == [state] * len(alarms)

    account.wait_for(f"{' and '.join(alarms)} in {state}", reached, minutes=20)


CHECKS = (
    empty_replica,
    metric_filter_counts,
    refreshed_on_demand,
    refreshed_by_schedule,
    replica_in_sync,
    policy_replicated,
    generated_names,
    denied_read_arrives,
    dead_letters,
    refused_outside_lambda,
    tags_updated,
    key_changed,
    alarms_change,
    drift,
    created_again,
)
"""In the order in which they run: two need a secret without a value, and two queues under the key that is changed."""
