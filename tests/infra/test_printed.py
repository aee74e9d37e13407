"""What alarms, pages and messages print fits what the templates make: its names, and the commands themselves."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from infra.conftest import FLEET, RECEIVER
from printed.everywhere import VALUE, check, of_help, of_messages, of_pages
from testbed.synthesis import ROOT, Synthesis, synthesise
from token_refresh_infra.context import ParameterError
from token_refresh_infra.deployment_file import read_deployment
from token_refresh_worker.run.events import read_event

PAGE = (ROOT / "docs" / "deploy.md").read_text()
REFERENCE = (ROOT / "docs" / "parameters.md").read_text()
FUNCTION = re.compile(r"--(?:function|invoke|function-name)[= ](token-refresh\S*)")


def text(value: Any) -> str:
    """A text of a template, with `VALUE` for what CloudFormation fills in."""
    if isinstance(value, str):
        return value
    parts = value["Fn::Join"][1] if "Fn::Join" in value else [VALUE]
    return "".join(part if isinstance(part, str) else VALUE for part in parts)


def first_commands(deployment: Synthesis) -> dict[str, str]:
    """The command that each alarm's description says to run first."""
    alarms = deployment.resources("CloudWatch::Alarm") + deployment.resources("CloudWatch::CompositeAlarm")
    texts = {a["Properties"]["AlarmName"]: text(a["Properties"]["AlarmDescription"]) for a in alarms}
    found = {name: re.search(r"First: (.+?)\.?$", said) for name, said in texts.items()}
    assert all(found.values()), [name for name, match in found.items() if not match]
    return {name: match[1] for name, match in found.items() if match}


def functions(deployment: Synthesis) -> set[str]:
    return {function["Properties"]["FunctionName"] for function in deployment.resources("Lambda::Function")}


def test_commands_of_alarms(plain: Synthesis, with_table: Synthesis, code: Path) -> None:
    """Each alarm's first command is one that its program takes, with the region, and a log or function of the stack."""
    for deployment in (plain, with_table, synthesise(FLEET, code), synthesise(RECEIVER, code)):
        found = first_commands(deployment)
        groups = {group["Properties"]["LogGroupName"] for group in deployment.resources("Logs::LogGroup")}
        assert len(found) > 4
        for line in found.values():
            check(line)
            assert re.search(r" --region \S+$", line)
            assert {*re.findall(r"logs tail (/\S+)", line)} <= groups
            assert {*FUNCTION.findall(line)} <= functions(deployment)
            if line.startswith("token-refresh ") and hasattr(deployment.parameters, "token_secret_id"):
                assert f" {deployment.parameters.token_secret_id} " in line


def test_the_mail_and_the_page_begin_with_the_same_command(with_table: Synthesis) -> None:
    """Who looks an alarm up on the page reads the command that its mail says to run first."""
    page = (ROOT / "docs" / "operations.md").read_text()
    rows = re.findall(r"^- `([a-z-]+)`: (.+)$", page, re.MULTILINE)
    said = {name: re.findall(r"`([a-z]+)[ `]", row) for name, row in rows}
    begun = {name: line.split()[1] for name, line in first_commands(with_table).items() if "token-refresh " in line}

    mailed = {name: first for full, first in begun.items() for name in said if full.endswith(f"-{name}")}

    on_the_page = {name: commands[0] for name, commands in said.items() if name in mailed}
    assert mailed == on_the_page
    assert {"renewal-overdue", "reauthorization-required"} <= mailed.keys()


def listed(heading: str) -> set[str]:
    """The names that a section's list explains."""
    section = REFERENCE.split(f"\n## {heading}\n")[1].split("\n## ", maxsplit=1)[0]
    entries = re.findall(r"^- (`[^:]+):", section, re.MULTILINE)
    return {name for entry in entries for name in re.findall(r"`([A-Za-z_-]+)`", entry)}


def test_the_last_line_of_the_tutorial(tmp_path: Path) -> None:
    """Without its last line, the tutorial's file for HubSpot is refused, and the error has that line."""
    section = (ROOT / "docs" / "tutorial.md").read_text().partition("## Another provider")[2]
    hubspot = re.findall(r"^```toml\n(.*?)^```", section, re.MULTILINE | re.DOTALL)[0]

    (tmp_path / "prod.toml").write_text(hubspot.replace('claim_table = "create"\n', ""))
    with pytest.raises(
        ParameterError, match=r'add this line to the deployment\'s file and deploy: claim_table = "crea'
    ):
        read_deployment("prod", folder=tmp_path)


def test_payloads() -> None:
    """Each payload on the page is an event that the function takes."""
    payloads = re.findall(r"['`](\{(?:\"(?:force|dry_run)\": true)?\})['`]", PAGE)

    assert {"{}", '{"force": true}', '{"dry_run": true}'} == set(payloads)
    for payload in payloads:
        read_event(json.loads(payload))


def test_outputs(plain: Synthesis, with_table: Synthesis, code: Path) -> None:
    """The page lists every output that a deployment of any mode can have, and no other; and how long queues keep."""
    (seconds,) = {queue["Properties"]["MessageRetentionPeriod"] for queue in plain.resources("SQS::Queue")}

    of_others = synthesise(FLEET, code).outputs() | synthesise(RECEIVER, code).outputs()
    assert plain.outputs() | with_table.outputs() | of_others == listed("Outputs")
    assert 2 == REFERENCE.count(f", for {seconds // 86_400} days\n")


def test_names_of_functions(plain: Synthesis) -> None:
    """A function that a page, help or a message names is called so by the template of `infra/deployments/prod.toml`."""
    printed = {name for _, line in [*of_pages(), *of_help(), *of_messages()] for name in FUNCTION.findall(line)}

    of_fleet = {"token-refresh-prod-fleet-prod"}  # `mode = "fleet"`, `fleet = "prod"` (docs/fleet.md)
    assert printed - of_fleet == functions(plain)
