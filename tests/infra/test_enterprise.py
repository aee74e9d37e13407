from pathlib import Path
from typing import Any

import pytest

from infra.conftest import EVERYTHING, FLEET, LONG_STACK, RECEIVER
from testbed.generated_names import generated_name
from testbed.policy import Ask, IamPolicy, as_list
from testbed.synthesis import synthesise
from token_refresh_infra.modes import parameters_of

HERE: dict[str, Any] = {"environment": "prod", "account": "123456789012", "region": "eu-central-1"}
BOUNDARY = "arn:aws:iam::123456789012:policy/boundary"
KEY = "arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
VPC = {"vpc_subnets": ["subnet-0a1b2c3d", "subnet-4e5f6a7b"], "vpc_security_groups": ["sg-0a1b2c3d"]}
CHOICES = VPC | {"permissions_boundary": BOUNDARY, "tags": ["team=growth", "cost-centre=12=3"]}


@pytest.mark.parametrize("values", [HERE, FLEET, RECEIVER], ids=["single", "fleet", "webhooks"])
def test_what_organisations_demand(code: Path, values: dict[str, Any]) -> None:
    """A boundary on every role, tags on resources, and subnets, into which Lambda connects and our code can't."""
    deployment = synthesise(values | CHOICES, code)

    roles = deployment.resources("IAM::Role")
    assert [BOUNDARY] * len(roles) == [role["Properties"]["PermissionsBoundary"] for role in roles]
    kinds = ("Lambda::Function", "IAM::Role", "SQS::Queue", "SNS::Topic", "Logs::LogGroup", "SecretsManager::Secret")
    for resource in (resource for kind in kinds for resource in deployment.resources(kind)):
        tags = {tag["Key"]: tag["Value"] for tag in resource["Properties"]["Tags"]}
        assert {"environment": "prod", "team": "growth", "cost-centre": "12=3"}.items() <= tags.items()
    functions = [function["Properties"] for function in deployment.resources("Lambda::Function")]
    for placed in (function["VpcConfig"] for function in functions):
        assert VPC == {"vpc_subnets": placed["SubnetIds"], "vpc_security_groups": placed["SecurityGroupIds"]}
    for effect in ("Allow", "Deny"):
        of_roles = [
            (policy["Properties"]["Roles"][0]["Ref"], statement)
            for policy in deployment.resources("IAM::Policy")
            for statement in policy["Properties"]["PolicyDocument"]["Statement"]
            if statement["Effect"] == effect and "ec2:CreateNetworkInterface" in as_list(statement["Action"])
        ]
        connected = sorted({function["Role"]["Fn::GetAtt"][0] for function in functions})
        assert connected == sorted(role for role, _ in of_roles)
        assert (effect == "Deny") == all("lambda:SourceFunctionArn" in str(s.get("Condition")) for _, s in of_roles)


@pytest.mark.parametrize("choice", [{"kms_key": "create"}, {"kms_key": KEY, "encrypt_messages": True}], ids=str)
def test_messages_are_encrypted_with_the_key(code: Path, choice: dict[str, Any]) -> None:
    """Where there is a key, it encrypts the topic and every queue, and those that send may use it for that alone."""
    deployment = synthesise(HERE | choice, code)
    key = deployment.arn_of("KMS::Key") if choice["kms_key"] == "create" else KEY

    queues = [queue["Properties"] for queue in deployment.resources("SQS::Queue")]
    assert [key] * 3 == [queue["KmsMasterKeyId"] for queue in queues]
    assert key == deployment.one("SNS::Topic")["KmsMasterKeyId"]
    for service in ("lambda.amazonaws.com", "scheduler.amazonaws.com"):
        (granted,) = [
            s
            for s in deployment.policy_of_role(service)
            if s["Effect"] == "Allow" and "kms:EncryptionContext:aws:sqs:arn" in str(s.get("Condition"))
        ]
        assert (["kms:Decrypt", "kms:GenerateDataKey"], key) == (granted["Action"], granted["Resource"])
        assert "sqs.*" == granted["Condition"]["StringLike"]["kms:ViaService"]


@pytest.mark.parametrize(
    "sent", [{}, {"aws:SourceArn": "arn:aws:events:x", "aws:SourceAccount": "x"}], ids=["no", "yes"]
)
def test_rules_may_use_the_key(code: Path, sent: dict[str, str]) -> None:
    """A key that is made lets EventBridge encrypt for queues of this account alone, by no name that is cut."""
    deployment = synthesise(EVERYTHING | {"stack": LONG_STACK}, code)
    (through,) = [
        {name: value for name, value in statement.items() if name != "Principal"}
        for statement in deployment.one("KMS::Key")["KeyPolicy"]["Statement"]
        if statement["Principal"] == {"Service": "events.amazonaws.com"}
    ]
    policy = IamPolicy(statements=[through])

    def may(action: str, account: str) -> bool:
        queue = f"arn:aws:sqs:eu-central-1:{account}:{generated_name(LONG_STACK, 'DeniedAccessQueue0123ABCD', 80)}"
        context = {"kms:EncryptionContext:aws:sqs:arn": queue, **sent}
        return policy.allows(Ask(action=action, resource="the key", context=context))

    assert may("kms:GenerateDataKey", "123456789012")
    assert may("kms:Decrypt", "123456789012")
    assert not may("kms:Decrypt", "210987654321")
    assert not may("kms:Encrypt", "123456789012")
    assert not policy.allows(Ask(action="kms:Decrypt", resource="the key", context=sent))


def test_a_given_key_encrypts_messages_only_if_asked(code: Path) -> None:
    """The policy of a key that exists may not let alarms use it, and an alarm that nobody hears is worse."""
    deployment = synthesise(HERE | {"kms_key": KEY}, code)

    assert "KmsMasterKeyId" not in deployment.one("SNS::Topic")
    assert all(queue["Properties"]["SqsManagedSseEnabled"] for queue in deployment.resources("SQS::Queue"))


def test_a_boundary_of_aws() -> None:
    """A policy that AWS manages is of no account, and so never of another one than the deployment's."""
    boundary = "arn:aws:iam::aws:policy/PowerUserAccess"

    assert boundary == parameters_of(HERE | {"permissions_boundary": boundary}).permissions_boundary
