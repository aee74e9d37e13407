"""What `scripts/deploy` asks the account before it deploys, each with the command that corrects it."""

from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra.conftest import FLEET, RECEIVER
from preflight import Preflight
from testbed.synthesis import Synthesis, synthesise

HERE = {"environment": "prod", "account": "123456789012", "region": "eu-central-1"}
KEY = "arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
MISSING = {
    "describe_secret": "ResourceNotFoundException",
    "describe_stacks": "ValidationError",
    "describe_table": "ResourceNotFoundException",
    "get_function_concurrency": "ResourceNotFoundException",
    "get_role": "NoSuchEntity",
}


class Account:
    """An account that is bootstrapped and has nothing else, unless it is told otherwise: each action has a response."""

    def __init__(self, **responses: Any) -> None:
        self.responses: dict[str, Any] = {
            "get_parameter": {"Parameter": {}},
            "describe_log_groups": {"logGroups": []},
            "describe_key": {"KeyMetadata": {"KeyState": "Enabled"}},
            "get_account_settings": quota(1000),
        } | responses

    def __call__(self, _service: str, _region: str) -> "Account":
        return self

    def __getattr__(self, action: str) -> Any:
        response = self.responses.get(action, MISSING.get(action))

        def ask(**_: Any) -> Any:
            if isinstance(response, str):
                raise ClientError({"Error": {"Code": response}}, action)
            return response

        return ask


def quota(unreserved: int, of: int | None = None) -> dict[str, Any]:
    return {"AccountLimit": {"UnreservedConcurrentExecutions": unreserved, "ConcurrentExecutions": of or unreserved}}


def stack(status: str, deployment: Synthesis | None = None, *, left: tuple[str, ...] = ()) -> dict[str, Any]:
    made = deployment.template["Resources"] if deployment else ()
    return {
        "describe_stacks": {"Stacks": [{"StackStatus": status}]},
        "describe_stack_resources": {
            "StackResources": [
                {"LogicalResourceId": name, "ResourceStatus": "DELETE_SKIPPED" if name in left else "UPDATE_COMPLETE"}
                for name in made
            ]
        },
    }


def asked(deployment: Synthesis, account: Account) -> Preflight:
    return Preflight(
        name="prod",
        file="infra/deployments/prod.toml",
        stack=deployment.parameters.stack_name,
        region="eu-central-1",
        template=deployment.template,
        previous_keys=deployment.parameters.previous_kms_keys,
        client=account,
    )


def fatal(deployment: Synthesis, **responses: Any) -> list[str]:
    return [str(problem) for problem in asked(deployment, Account(**responses)).problems() if problem.is_fatal]


@pytest.mark.parametrize(
    "values", [HERE, FLEET | {"region": "eu-central-1"}, RECEIVER], ids=["one", "fleet", "webhooks"]
)
def test_an_empty_account(code: Path, values: dict[str, Any]) -> None:
    """A bootstrapped account with room for what is reserved has no problem, in each mode."""
    account = Account()

    assert [] == asked(synthesise(values, code), account).problems()


def test_what_is_there_already(code: Path) -> None:
    """Each name that something else has is named at once, with the command, or the parameter that takes it over."""
    deployment = synthesise(HERE | {"claim_table": "create"}, code)

    found = fatal(
        deployment,
        describe_secret={"ARN": "arn", "DeletedDate": 1},
        describe_table={"Table": {}},
        describe_log_groups={"logGroups": [{"logGroupName": deployment.parameters.log_group_name}]},
        get_role={"Role": {}},
        get_parameter="ParameterNotFound",
    )

    said = "\n".join(found)
    parts = (
        "region eu-central-1 of this account is not bootstrapped. Fix: `scripts/deploy bootstrap prod`",
        "secret upwork-oauth-tokens is scheduled for deletion, and its name stays taken. Fix: `aws",
        "restore-secret --secret-id upwork-oauth-tokens --region eu-central-1`, and adopt it, with token_secret",
        'published_secret = "upwork-oauth-tokens-published" in infra/deployments/prod.toml',
        "table token-refresh-prod-claims exists outside of stack token-refresh-prod. Fix: take it over, with claim_t",
        "aws logs delete-log-group --log-group-name /aws/lambda/token-refresh-prod --region eu-central-1",
        "aws iam delete-role --role-name token-refresh-prod-eu-central-1-worker",
        "aws iam delete-role --role-name token-refresh-prod-eu-central-1-schedule",
    )
    assert [] == [part for part in parts if part not in said]
    assert [] == [problem for problem in found if not any(part in problem for part in parts)]


def test_what_the_stack_itself_made(code: Path) -> None:
    """At an update, what the stack made is no problem; what a parameter adds is looked at."""
    deployment, before = synthesise(HERE | {"claim_table": "create"}, code), synthesise(HERE, code)
    there = {"describe_secret": {"ARN": "arn"}, "get_role": {"Role": {}}, "describe_table": {"Table": {}}}

    assert [] == fatal(deployment, **there, **stack("UPDATE_COMPLETE", deployment))
    (added,) = fatal(deployment, **there, **stack("UPDATE_COMPLETE", before))
    assert added.startswith("table token-refresh-prod-claims exists outside of stack")
    left = deployment.logical_id("DynamoDB::Table")
    assert [added] == fatal(deployment, **there, **stack("UPDATE_COMPLETE", deployment, left=(left,)))


@pytest.mark.parametrize(
    ("status", "says"),
    [
        ("UPDATE_ROLLBACK_FAILED", "aws cloudformation continue-update-rollback --stack-name token-refresh-prod"),
        ("UPDATE_IN_PROGRESS", "is UPDATE_IN_PROGRESS. Fix: wait until that has ended"),
        ("DELETE_FAILED", "is DELETE_FAILED. Fix: `scripts/deploy destroy prod`"),
    ],
)
def test_a_stack_that_can_not_be_updated(code: Path, status: str, says: str) -> None:
    """A stack that is being changed, or stuck, is named; what a failed first creation left is in the way."""
    deployment = synthesise(HERE, code)
    (found,) = fatal(deployment, **stack(status))

    assert says in found
    assert 2 == len(fatal(deployment, **stack("ROLLBACK_COMPLETE"), get_role={"Role": {}}))


@pytest.mark.parametrize(
    ("state", "says"),
    [
        ("Disabled", "aws kms enable-key --key-id {0}"),
        ("PendingDeletion", "aws kms cancel-key-deletion --key-id {0}"),
        ("NotFoundException", "key {0} is missing. Fix: name another key"),
    ],
)
def test_a_key_that_can_not_encrypt(code: Path, state: str, says: str) -> None:
    """The state of each key but a previous one is looked at in its region; a replica's is a warning."""
    response = state if state.endswith("Exception") else {"KeyMetadata": {"KeyState": state}}
    previous, there = KEY.replace("1234abcd", "5678abcd"), KEY.replace("eu-central-1", "eu-west-1")
    keys = {"kms_key": KEY, "previous_kms_keys": [previous], "replica_regions": [there]}

    here, replica = asked(synthesise(HERE | keys, code), Account(describe_key=response)).problems()

    assert (True, False) == (here.is_fatal, replica.is_fatal)
    assert says.format(KEY) in str(here)
    assert says.format(there) in str(replica)


@pytest.mark.parametrize(
    ("limits", "reserved_now", "fails"),
    [(quota(10), None, True), (quota(1000), None, False), (quota(105, 1000), None, True), (quota(10), 10, False)],
)
def test_reserved_concurrency(code: Path, limits: Any, reserved_now: int | None, *, fails: bool) -> None:
    """Lambda keeps 100 runs at once for functions that reserve none, and 10 in a new account."""
    now = {"ReservedConcurrentExecutions": reserved_now} if reserved_now else "ResourceNotFoundException"

    found = fatal(synthesise(RECEIVER, code), get_account_settings=limits, get_function_concurrency=now)

    assert fails == any("reserved_concurrency takes 10 of" in line for line in found)
    assert fails == any("aws service-quotas request-service-quota-increase" in line for line in found)


def test_a_fleet_in_a_new_account(code: Path) -> None:
    """A fleet is deployed all the same, with a warning: Lambda will refuse its runs."""
    (problem,) = asked(synthesise(FLEET, code), Account(get_account_settings=quota(10))).problems()

    assert not problem.is_fatal
    assert "the account lets 10 functions run at once, and the fleet uses 66" in str(problem)
    reserved = synthesise(FLEET | {"reserved_concurrency": "64"}, code)
    assert "reserved_concurrency takes 64 of 72" in fatal(reserved, get_account_settings=quota(72))[0]
    assert [] == asked(reserved, Account(get_account_settings=quota(164))).problems()


def test_what_may_not_be_asked(code: Path) -> None:
    """A caller who may read nothing is refused nothing, and told what was not looked at."""
    names = ("describe_secret", "describe_stacks", "get_role", "get_parameter", "describe_log_groups", "describe_key")
    preflight = asked(synthesise(HERE | {"kms_key": KEY}, code), Account(**dict.fromkeys(names, "AccessDenied")))

    assert [] == preflight.problems()
    assert "cloudformation:describe_stacks (AccessDenied)" in preflight.unread
