"""What a webhook receiver may do, shown both ways: it works with that, and with nothing less."""

from infra.enforced import KEY
from infra.receiver import FROM_THE_RECEIVER, FUNCTION, RunningReceiver, policy_of
from testbed.policy import Ask, IamPolicy
from token_refresh_infra import access

from aws_cdk import Stack  # isort: skip - after our package, see its docstring

NAMES = {"stripe": "acme/prod/stripe", "slack": "acme/prod/slack"}
PREFIX = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:"


def all_of_production(stack: Stack) -> list[access.Secrets]:
    return [access.environment_secrets(stack, "acme", "prod").encrypted_with(KEY)]


def one_by_one(stack: Stack) -> list[access.Secrets]:
    return [access.one_secret(stack, name).encrypted_with(KEY) for name in NAMES.values()]


def reads(policy: IamPolicy, label: str, resource: str = f"{PREFIX}acme/prod/stripe-AbCdEf") -> bool:
    context = FROM_THE_RECEIVER | {"secretsmanager:VersionStage": label}
    return policy.allows(Ask(action="secretsmanager:GetSecretValue", resource=resource, context=context))


def test_previous_version_only_for_an_overlap() -> None:
    """The previous version of a secret is in reach where an overlap needs it, and no other version ever is."""
    with_overlap = policy_of(all_of_production)
    without = policy_of(all_of_production, accept_previous=False)
    labels = ("AWSCURRENT", "AWSPREVIOUS", "AWSPENDING")
    assert [True, True, False] == [reads(with_overlap, label) for label in labels]
    assert [True, False, False] == [reads(without, label) for label in labels]


def test_nothing_more_and_nothing_less() -> None:
    """With its policy enforced the receiver delivers; each part of the policy is used, and each is needed."""
    with RunningReceiver(one_by_one, NAMES) as receiver:
        assert dict.fromkeys(NAMES, 200) == receiver.statuses()
        outcomes = {logged.outcome for logged in (*receiver.store.calls, *receiver.queue.calls)}
        assert {"ok"} == outcomes - {"ResourceNotFoundException"}  # no secret has a previous version
        grants = receiver.policy.grants(["secretsmanager:", "kms:", "sqs:"])
        assert set(grants) == receiver.policy.used
        assert 5 == len(grants)
        for grant in grants:
            receiver.enforce(receiver.policy.without(grant))
            statuses = list(receiver.statuses().values())
            assert (2 if grant[1] == "sqs:SendMessage" else 1) == statuses.count(503)
        text = "\n".join(receiver.logs)
        assert "DeliveryNotQueued" in text
        assert "sqs:SendMessage on queue" in text
        assert "allow this action for the caller's role" in text
        assert "SecretAccessDenied" in text


def test_policy_has_no_other_statement() -> None:
    """Beside secrets, key and queue the role may write its own log, and no resource is a bare wildcard."""
    policy = policy_of(one_by_one)
    assert {"logs:CreateLogStream", "logs:PutLogEvents"} == {
        action for _, action, _ in policy.grants([""]) if not action.startswith(("secretsmanager:", "kms:", "sqs:"))
    }
    assert [] == [resource for _, _, resource in policy.grants([""]) if resource == "*"]


def test_only_the_receivers_own_code() -> None:
    """The role reads and sends nothing for another function, or for whoever took its credentials away from Lambda."""
    policy = policy_of(one_by_one)
    current = {"secretsmanager:VersionStage": "AWSCURRENT"}
    asked = {"secretsmanager:GetSecretValue": f"{PREFIX}acme/prod/stripe-??????", "sqs:SendMessage": "the-queue"}

    for function, allowed in ((FUNCTION, True), (f"{FUNCTION}-2", False), (None, False)):
        context = current | ({"lambda:SourceFunctionArn": function} if function else {})
        for action, resource in asked.items():
            assert allowed == policy.allows(Ask(action=action, resource=resource, context=context)), (function, action)


def test_what_it_can_not_do() -> None:
    """A receiver reads and sends: it can't change a secret, nor read or delete what is queued."""
    policy = policy_of(all_of_production)
    of_secrets = [f"secretsmanager:{name}" for name in ("PutSecretValue", "UpdateSecretVersionStage", "DeleteSecret")]
    others = ("secretsmanager:BatchGetSecretValue", "sqs:ReceiveMessage", "sqs:DeleteMessage", "kms:Encrypt")
    for action in (*of_secrets, *others):
        for resource in (f"{PREFIX}acme/prod/stripe-AbCdEf", "the-queue", KEY):
            assert not policy.allows(Ask(action=action, resource=resource, context=FROM_THE_RECEIVER)), action
