"""`doctor` on the policies that are deployed: what it takes for denied, the function is denied, and nothing else."""

from types import SimpleNamespace
from typing import Any

import pytest

from testbed.policy import Ask, IamPolicy, Meaning, resolve
from testbed.synthesis import Synthesis
from token_refresh_admin.cli.doctor.access import check_access
from token_refresh_admin.cli.finding import Health

REGION = "eu-central-1:123456789012"
FUNCTION = f"arn:aws:lambda:{REGION}:function:the-worker"
ROLE = "arn:aws:iam::123456789012:role/the-worker"


class Account:
    """IAM's simulator, with the role's policies that a template deploys."""

    def __init__(self, deployment: Synthesis) -> None:
        self.variables = deployment.one("Lambda::Function")["Environment"]["Variables"]
        self.names = [self.variables[f"{kind}_SECRET_ID"] for kind in ("TOKEN", "PUBLISHED", "CLIENT")]
        known = Meaning({"AWS::AccountId": "123456789012", "AWS::Region": "eu-central-1"})
        known[deployment.logical_id("Lambda::Function") + ".Arn"] = FUNCTION
        known[str(deployment.one("Lambda::Function")["Role"]["Fn::GetAtt"][0]) + ".Arn"] = ROLE
        for name in self.names[:2]:
            known[deployment.logical_id("SecretsManager::Secret", Name=name)] = self.arn(name)
        if table := self.variables.get("CLAIM_TABLE"):
            known[deployment.logical_id("DynamoDB::Table") + ".Arn"] = f"arn:aws:dynamodb:{REGION}:table/{table}"
        self.variables = resolve(self.variables, known)
        self.of_role = resolve(deployment.policy_of_role("lambda.amazonaws.com"), known)

    def arn(self, name: str) -> str:
        return f"arn:aws:secretsmanager:{REGION}:secret:{name}-AbCdEf"

    def ask(self, action: str, _kind: str, name: str, **asked: Any) -> dict[str, Any]:
        assert ("iam:SimulatePrincipalPolicy", ROLE) == (action, name)
        context = {entry["ContextKeyName"]: entry["ContextKeyValues"][0] for entry in asked["ContextEntries"]}
        policy = IamPolicy(statements=self.of_role)
        decided = {
            name: policy.allows(Ask(action=name, resource=arn, context=context))
            for name in asked["ActionNames"]
            for arn in asked["ResourceArns"]
        }
        names = {True: "allowed", False: "implicitDeny"}
        return {"EvaluationResults": [{"EvalActionName": n, "EvalDecision": names[d]} for n, d in decided.items()]}

    def check(self) -> Any:
        deployed = {"Role": ROLE, "FunctionArn": FUNCTION, "Environment": {"Variables": self.variables}}
        context: Any = SimpleNamespace(secret_id=self.names[0], arn_of=self.arn, ask=self.ask)
        return check_access(context, deployed)


@pytest.fixture(params=["everything", "with_table"])
def account(request: pytest.FixtureRequest) -> Account:
    return Account(request.getfixturevalue(request.param))


def test_a_healthy_deployment(account: Account) -> None:
    """Its own denials, of other functions, are not about the function's code."""
    found = account.check()

    assert Health.HEALTHY is found.health, found.text
    assert any(statement["Effect"] == "Deny" for statement in account.of_role)
