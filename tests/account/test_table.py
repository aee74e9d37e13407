"""The table of assumptions, what the command says before it begins, and the names that it makes."""

import re
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import boto3

from account.account import HERE, ROOT, Account
from account.removal import PREFIX
from account.report import EMULATOR, listed, read_assumptions
from account.run import CHECKS, worker_parameters
from testbed.synthesis import synthesise

World = Any  # of conftest.py
ROWS = read_assumptions()


def test_each_row_has_a_check_or_a_reason() -> None:
    """Each assumption has a source of AWS, files that rely on it, and a check, which was seen, or a reason why not."""
    assert list(range(1, len(ROWS) + 1)) == [row.number for row in ROWS]
    assert all((row.check is None) is (row.unchecked is not None) for row in ROWS)
    assert all((row.check is None) is (row.against is None) for row in ROWS)
    assert sorted(check.__name__ for check in CHECKS) == sorted(row.check for row in ROWS if row.check)
    assert all(row.relies and row.source.startswith("https://docs.aws.amazon.com/") for row in ROWS)
    assert [] == [path for row in ROWS for path in row.relies if not (ROOT / path).exists()]
    deployed = (ROOT / "tests" / "deployment" / "test_account.py").read_text("utf-8")
    assert [] == [row.check for row in ROWS if row.against == EMULATOR and f"checks.{row.check}" not in deployed]


def test_the_order_of_the_checks() -> None:
    """What needs a secret without a value comes first; what needs queues under the key, before its change."""
    order = [check.__name__ for check in CHECKS]

    assert ["empty_replica", "metric_filter_counts", "refreshed_on_demand"] == order[:3]
    assert max(order.index(name) for name in ("denied_read_arrives", "dead_letters")) < order.index("key_changed")


def test_the_list() -> None:
    """`--list` prints each assumption with AWS's words, the code, what breaks, and its check or why there is none."""
    done = subprocess.run([ROOT / "scripts" / "prove", "account", "--list"], capture_output=True, text=True, check=True)  # noqa: S603 - our own

    assert listed(ROWS) == done.stdout
    for row in ROWS:
        for said in (row.assumes, row.aws, row.source, *row.relies, row.breaks, str(row.check or row.unchecked)):
            assert said in done.stdout


@cache
def operations(service: str) -> dict[str, str]:
    names = {"tag": "resourcegroupstaggingapi"}
    client: Any = boto3.client  # typed for each service's name
    mapping: dict[str, str] = client(names.get(service, service), region_name="eu-central-1").meta.method_to_api_mapping
    return mapping


def test_permissions() -> None:
    """What the command and scripts/deploy call is in the permissions that it prints."""
    files = [*HERE.glob("*.py"), *(ROOT / "infra" / f"{name}.py" for name in ("preflight", "deployed", "protect"))]
    source = "".join(path.read_text("utf-8") for path in files if path.name != "provider.py")
    called = set(re.findall(r"[.\"]([a-z]+_[a-z_]+|invoke)\b", source))
    lines = re.findall(r"^  (\w+): (.*(?:\n    .*)*)", (HERE / "plan.txt").read_text("utf-8"), re.MULTILINE)
    allowed = {service: set(re.findall(r"[A-Z]\w+", text)) for service, text in lines}

    made = {(service, operations(service).get(name)) for service in allowed for name in called}

    assert {("scheduler", "CreateSchedule"), ("tag", "GetResources"), ("secretsmanager", "UntagResource")} <= made
    renamed = {"Invoke": "InvokeFunction"}
    assert set() == {(s, n) for s, n in made if n and renamed.get(n, n) not in set().union(*allowed.values())}


def test_the_worker_is_what_the_checks_need(world: World, code: Path) -> None:
    """The deployment is synthesised: 45 characters, and each name in it begins with the run's prefix."""
    account: Account = world.account
    account.outputs |= {
        "SpareKeyArn": "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
        "ProviderUrl": "https://abcdef.lambda-url.eu-central-1.on.aws/",
    }
    values = worker_parameters(account) | {"stack": account.stack, "account": "123456789012", "region": account.region}

    made = synthesise(values, code)

    assert (45, account.stack) == (len(account.stack), made.parameters.stack_name)
    named = [
        value
        for resource in made.template["Resources"].values()
        for key, value in resource.get("Properties", {}).items()
        if key.endswith("Name") and isinstance(value, str) and key not in {"MetricName", "PolicyName"}
    ]
    assert 10 < len(named)
    assert [] == [name for name in named if not name.removeprefix("/aws/lambda/").startswith(account.prefix)]
    assert account.prefix.startswith(PREFIX)
    (published,) = made.resources("SecretsManager::Secret", Name=made.parameters.published_secret_id)
    assert published["Properties"]["ReplicaRegions"]
