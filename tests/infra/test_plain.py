"""The templates of a release, which need no CDK to deploy."""

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import plain
from testbed.synthesis import ROOT, plain_templates, synthesise
from token_refresh import __version__
from token_refresh_worker.providers.loader import load_provider

LIMIT_BYTES = 51_200
"""What CloudFormation takes in a request, and so Terraform in `template_body`."""
GIVEN: dict[str, dict[str, Any]] = {
    "single": {"Provider": "linear", "TokenSecretName": "linear-tokens", "AlarmEmail": "you@example.com"},
    "single-one-hour": {"Provider": "zoom", "TokenSecretName": "zoom-tokens", "AlarmEmail": ""},
    "fleet": {"SecretsUnder": "crm/prod/", "AlarmEmail": "you@example.com"},
    "webhooks": {
        "StripeSecret": "stripe-secret",
        "GithubSecret": "",
        "SlackSecret": "slack#key",
        "StandardSecret": "st",
    },
}
DEPLOYED: dict[str, dict[str, Any]] = {
    "single": {"provider": "linear", "service": "linear-tokens", "alarm_email": "you@example.com"},
    "single-one-hour": {"provider": "zoom", "service": "zoom-tokens"},
    "fleet": {
        "mode": "fleet",
        "fleet": "prod",
        "secrets_under": "crm/prod/",
        "client_secret": "documents",
        "alarm_email": "you@example.com",
    },
    "webhooks": {
        "mode": "webhooks",
        "stripe_secret": "stripe-secret",
        "slack_secret": "slack#key",
        "standard_secret": "st",
    },
}
NOTHING = object()


def resolved(value: Any, given: dict[str, str]) -> Any:  # noqa: PLR0911 - one for each function of CloudFormation
    """Return what CloudFormation makes of a part of a template with these parameters."""
    match value:
        case {"Ref": str(name)}:
            return {**given, "AWS::NoValue": NOTHING}.get(name, value)
        case {"Fn::Sub": str(text)}:
            said = re.sub(r"\$\{(\w+)\}", lambda found: given[found[1]], text)
            return {"Fn::Sub": said} if re.search(r"\$\{[^!]", said) else said.replace("${!", "${")
        case {"Fn::Sub": [str(text), dict(values)]}:
            return resolved({"Fn::Sub": text}, given | {name: resolved(item, given) for name, item in values.items()})
        case {"Fn::Select": [0, {"Fn::Split": [str(separator), item]}]}:
            return resolved(item, given).split(separator)[0]
        case {"Fn::If": [str(condition), one, other]}:
            return resolved(one if given[condition.removeprefix("Has")] else other, given)
        case dict():
            items = {key: resolved(item, given) for key, item in value.items()}
            return {key: item for key, item in items.items() if item is not NOTHING}
        case list():
            return [item for item in (resolved(one, given) for one in value) if item is not NOTHING]
        case _:
            return value


def comparable(resources: dict[str, Any]) -> dict[str, Any]:
    """Return resources, by their logical IDs, without where their code is."""
    found = {}
    for name, resource in resources.items():
        properties = {key: value for key, value in resource["Properties"].items() if key != "Code"}
        found[name] = {**resource, "Properties": properties}
    return found


@pytest.mark.parametrize("name", GIVEN)
def test_a_plain_stack_is_the_cdk_s(name: str, code: Path) -> None:
    """A template makes what `scripts/deploy` makes, under the same names: each can take the other's stack over."""
    template = plain_templates()[name]
    declared = {name: parameter.get("Default", "") for name, parameter in template["Parameters"].items()}
    given = declared | GIVEN[name]
    made = {
        key: {part: item for part, item in resource.items() if part != "Condition"}
        for key, resource in template["Resources"].items()
        if given["AlarmEmail"] or resource["Type"] != "AWS::SNS::Subscription"
    }

    by_cdk = synthesise({"environment": "prod", "stack": given["Name"]} | DEPLOYED[name], code).template

    assert comparable(by_cdk["Resources"]) == comparable(resolved(made, given))
    assert by_cdk["Outputs"] == resolved(template["Outputs"], given)


@pytest.mark.parametrize("name", GIVEN)
def test_a_function_runs_the_code_of_a_bucket(name: str) -> None:
    """A template is small, runs the bucket's code of its version, needs no bootstrap, and explains what it refuses."""
    template = plain_templates()[name]
    parameters = template["Parameters"]
    functions = [r["Properties"] for r in template["Resources"].values() if r["Type"] == "AWS::Lambda::Function"]
    zip_name = f"token-refresh-{'webhooks' if name == 'webhooks' else 'worker'}-{__version__}.zip"

    for code_key, expected in (("", zip_name), ("mine.zip", "mine.zip")):
        found = [resolved(function["Code"], {"CodeBucket": "bucket", "CodeKey": code_key}) for function in functions]
        assert [{"S3Bucket": "bucket", "S3Key": expected}] * len(functions) == found
    assert functions
    assert "BootstrapVersion" not in parameters
    assert __version__ not in str([parameter.get("Default") for parameter in parameters.values()])
    for parameter in parameters.values():
        assert ("ConstraintDescription" in parameter) == bool({"AllowedPattern", "AllowedValues"} & set(parameter))
    assert len(plain.written(template).encode()) < LIMIT_BYTES


@pytest.mark.parametrize(("name", "parameter"), [("single", "TokenSecretName"), ("fleet", "Fleet")])
def test_a_replacement_is_announced(name: str, parameter: str) -> None:
    """What holds tokens or claims outlives a change of its name, and the parameter says what becomes of it."""
    template = plain_templates()[name]
    kept = [
        r
        for r in template["Resources"].values()
        if r["Type"] in {"AWS::SecretsManager::Secret", "AWS::DynamoDB::Table"}
    ]

    assert {("Retain", "RetainExceptOnCreate")} == {(r["UpdateReplacePolicy"], r["DeletionPolicy"]) for r in kept}
    assert "Never change it in an existing stack" in template["Parameters"][parameter]["Description"]


def test_a_template_offers_the_profiles_that_it_fits() -> None:
    """Tokens of each live as long as the template says; no profile will end, or needs more than its name."""
    offered: dict[str, timedelta] = {}
    for name in ("single", "single-one-hour"):
        profiles = plain_templates()[name]["Parameters"]["Provider"]["AllowedValues"]
        offered |= dict.fromkeys(profiles, timedelta(days=1) if name == "single" else timedelta(hours=1))

    assert offered == {name: load_provider(name).access_token_lifetime for name in offered}
    assert {"upwork", "google", "microsoft", "zoom"} <= set(offered)
    assert not {"fitbit", "generic", "snowflake", "xero"} & set(offered)


@pytest.mark.parametrize("name", GIVEN)
def test_a_template_names_no_partition(name: str) -> None:
    """ARNs take the partition of the region that the stack is in, such as GovCloud's or China's."""
    text = json.dumps(plain_templates()[name])

    assert '{"Ref": "AWS::Partition"}' in text
    assert "arn:aws" not in text.replace("arn:aws[a-z-]*:", "")


def test_the_page_names_each_template() -> None:
    """docs/beside-another-stack.md lists the templates that there are, and parameters that they have."""
    page = (ROOT / "docs" / "beside-another-stack.md").read_text()

    assert {f"token-refresh-{name}.template.json" for name in plain_templates()} == set(
        re.findall(r"token-refresh-[a-z-]+\.template\.json", page)
    )
    known = {name for template in plain_templates().values() for name in template["Parameters"]}
    assert {"Provider", "Name", "CodeKey", "CodeBucket", "AlarmEmail", "SecretsUnder", "StripeSecret", "Fleet"} <= known


def test_the_page_s_policy_keeps_what_is_kept() -> None:
    """The page's stack policy forbids to replace or delete each type that outlives its stack, and allows all else."""
    page = (ROOT / "docs" / "beside-another-stack.md").read_text()
    (policy,) = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", page, re.DOTALL)]
    allowed, denied = policy["Statement"]
    resources = [resource for template in plain_templates().values() for resource in template["Resources"].values()]
    kept = {resource["Type"] for resource in resources if resource.get("UpdateReplacePolicy") == "Retain"}

    assert ("Allow", "Update:*", "*") == (allowed["Effect"], allowed["Action"], allowed["Resource"])
    # A secret's policy is replaced with its secret alone.
    assert kept - {"AWS::SecretsManager::ResourcePolicy"} == set(denied["Condition"]["StringEquals"]["ResourceType"])
    assert ("Deny", ["Update:Replace", "Update:Delete"]) == (denied["Effect"], denied["Action"])


def test_terraform_and_sam_name_what_the_template_has() -> None:
    """Both blocks of the page set each parameter of the template that they deploy, and read outputs that it has."""
    page = (ROOT / "docs" / "beside-another-stack.md").read_text()
    blocks = [re.search(rf"```{language}\n(.*?)```", page, re.DOTALL) for language in ("hcl", "yaml")]
    terraform, sam = [block[1] for block in blocks if block]
    (given,) = re.findall(r"parameters = \{\n(.*?)\n  \}", terraform, re.DOTALL)
    (passed,) = re.findall(r"Parameters:\n((?: {8}\w+: .*\n)+)", sam)

    for block, names, outputs in (
        (terraform, re.findall(r"^ +(\w+) += ", given, re.MULTILINE), re.findall(r'outputs\["(\w+)"\]', terraform)),
        (sam, re.findall(r"^ +(\w+): ", passed, re.MULTILINE), re.findall(r"\.Outputs\.(\w+)", sam)),
    ):
        (name,) = re.findall(r"token-refresh-([a-z-]+)\.template\.json", block)
        template = plain_templates()[name]
        assert sorted(template["Parameters"]) == sorted(names)
        assert ["PublishedSecretId", "ReadPolicyArn"] == sorted(set(outputs) & set(template["Outputs"]))
        assert 2 == len(outputs)
        assert len(json.dumps(template)) <= LONGEST_TEMPLATE


LONGEST_TEMPLATE = 51_200
"""What CloudFormation takes in a request, and Terraform as a body; a longer one would need a bucket."""
