"""Deployments as users write them: the files that pages show, and one for each parameter alone."""

import re
import textwrap
import tomllib
from typing import Any

from examples import SHARE
from testbed.synthesis import ROOT
from token_refresh.webhooks import SENDERS
from token_refresh_infra.context import ParameterError, names_of
from token_refresh_infra.modes import FLEET, MODES, SINGLE, WEBHOOKS, parameters_of
from token_refresh_worker.oauth.formats import AuthMethod

KEY = "arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
ROLE = "arn:aws:iam::123456789012:role/operators"
_PAGES = {path.stem: path.read_text() for path in sorted((ROOT / "docs").glob("*.md"))}
_BASE: dict[str, dict[str, Any]] = {
    SINGLE: {"alarms": False},
    FLEET: {
        "alarms": False,
        "dashboard": False,
        "fleet": "prod",
        "secrets_under": "crm/",
        "client_secret": "documents",
    },
    WEBHOOKS: {"alarms": False, "stripe_secret": "stripe"},
}
"""What a mode needs; alarms take half of a synthesis, so only what concerns them has some."""
_ALARMS: dict[str, Any] = {"alarms": True}
_NEEDED: dict[str, dict[str, Any]] = {
    "alarm_email": _ALARMS,
    "alarm_topic": _ALARMS,
    "by_tag": {"secrets_under": ""},
    "client_assertion_audience": {"token_endpoint_auth_method": "aws_iam_jwt"},
    "consumers": {"operators": [ROLE]},
    "encrypt_logs": {"kms_key": KEY},
    "encrypt_messages": {"kms_key": KEY, **_ALARMS},
    "kept_tokens_key": {"claim_table": "my-claims", **_ALARMS},
    "kms_key": _ALARMS,
    "reserved_concurrency": {"concurrency": 2},
    "vpc_security_groups": {"vpc_subnets": ["subnet-0a1b2c3d"]},
    "vpc_subnets": {"vpc_security_groups": ["sg-0a1b2c3d"]},
    "aws_iam_jwt": {"client_assertion_audience": "https://crm.example.com"},
    "private_key_jwt": {"client_key": KEY},
    "my-crm": {"provider_profiles": "profiles"},
}
"""What a parameter, or one of its values, takes besides."""
_EACH_SENDER: dict[str, list[Any]] = {
    f"{name}_secret": [f"{name}-secret", f"ssm:/acme/{name}", f"{name}-secret#key"] for name in SENDERS
}
_VALUES: dict[str, list[Any]] = _EACH_SENDER | {
    "environment": ["dev"],
    "account": ["123456789012"],
    "region": ["us-east-1"],
    "app": ["upwork"],
    "stack": ["my-stack"],
    "provider_profiles": ["profiles"],
    "kms_key": ["create", KEY],
    "previous_kms_keys": [[KEY.replace("1234abcd-", "5678abcd-")]],
    "encrypt_logs": [True],
    "permissions_boundary": ["arn:aws:iam::123456789012:policy/boundary"],
    "vpc_subnets": [["subnet-0a1b2c3d"]],
    "vpc_security_groups": [["sg-0a1b2c3d"]],
    "https_proxy": ["http://10.0.0.7:3128"],
    "tags": [["team=growth"]],
    "log_level": ["DEBUG"],
    "log_retention_days": [30],
    "python": ["3.13", "3.14"],
    "tracing": [True],
    "memory_mb": [512],
    "reserved_concurrency": [2],
    "alarms": [True, False],
    "alarm_email": ["you@example.com"],
    "alarm_topic": ["arn:aws:sns:eu-central-1:123456789012:pager"],
    "dashboard": [True, False],
    "service": ["other"],
    "token_secret": ["my-tokens"],
    "client_secret": ["my-client"],
    "published_secret": ["none", "my-copy"],
    "read_under": [["slack-", "myapp/"]],
    "replica_regions": [["eu-west-1", KEY.replace("eu-central-1", "us-east-1")]],
    "operators": [[ROLE]],
    "consumers": [[ROLE]],
    "claim_table": ["create", "my-claims"],
    "kept_tokens_key": ["create", "none", KEY],
    "provider": ["google", "my-crm"],
    "token_endpoint": ["https://crm.example.com/token"],
    "token_endpoint_auth_method": list(AuthMethod),
    "encrypt_messages": [True],
    "client_key": [KEY],
    "client_assertion_audience": ["https://crm.example.com"],
    "event_bus": ["default"],
    "token_lifetime_seconds": [3600],
    "refresh_window_seconds": [3600],
    "replay_grace_seconds": [0],
    "request_timeout_seconds": [10],
    "timeout_seconds": [60],
    "schedule_minutes": [20],
    "flexible_minutes": [5],
    "schedule_enabled": [False],
    "fleet": ["other"],
    "secrets_under": ["customers/"],
    "published_under": ["published/"],
    "by_tag": [True],
    "dispatcher_memory_mb": [512],
    "concurrency": [8],
    "writes_per_second": [10],
    "overlap_seconds": [0],
    "origin_secret": ["origin-verify"],
}
_EXCEPTED = {"client_assertion_audience", "tracing", "vpc_subnets"}
"""What makes the same exception to the rules: together, each would hide that another's is missing."""
_OF_OTHER_MODES: dict[str, set[tuple[str, Any]]] = {
    FLEET: {("kms_key", "create")},
    SINGLE: {("client_secret", "clients/{provider}"), ("client_secret", "documents")},
    WEBHOOKS: {("kms_key", "create"), ("provider_profiles", "profiles"), ("log_level", "DEBUG")},
}
"""Values that these modes refuse."""


# A deployment's file is flat; a provider's profile, or a part of one, has tables.
FILES = [
    (page, textwrap.dedent(block))
    for page, text in _PAGES.items()
    for block in re.findall(r"^ *```toml\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
    if not any(isinstance(value, dict) for value in tomllib.loads(textwrap.dedent(block)).values())
]
"""The deployment files of all pages."""
PROFILE = (ROOT / "examples" / "my-crm.toml").read_text()
"""The provider's profile to copy, with all that one can have."""


def in_sentences() -> list[tuple[str, Any]]:
    """Return the settings in the sentences of all pages, as in `alarms = false`; a NAME in capitals is none."""
    said = sorted({line for text in _PAGES.values() for line in re.findall(r"`(\w+ = [^`]+)`", text)})
    settings = [tomllib.loads(line) for line in said if not re.search(r'"[A-Z_]{2,}', line)]
    return [(name, value) for setting in settings for name, value in setting.items() if name in _VALUES]


def of_each_parameter(mode: str) -> list[dict[str, Any]]:
    """Return a deployment of a mode with each value of each parameter, and nothing else but what that needs."""
    settings = [(name, value) for name, values in _VALUES.items() for value in values]
    settings += [setting for setting in in_sentences() if setting not in settings]
    return [_deployment(mode, *setting) for setting in settings if _takes(mode, *setting)]


def together(deployments: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a fifth as many deployments with the same values: what can be at once. At night each is alone."""
    found: list[dict[str, Any]] = []
    for values in deployments:
        fitting = (other for other in found if SHARE > 1 and _go_together(other, values))
        found.append(next(fitting, {}))
        found[-1].update(values)
    return list({id(values): values for values in found}.values())


def _go_together(one: dict[str, Any], other: dict[str, Any]) -> bool:
    if any(one.get(name, value) != value for name, value in other.items()) or len(_EXCEPTED & {*one, *other}) > 1:
        return False
    try:
        parameters_of({"environment": "prod", "account": "123456789012", "region": "eu-central-1"} | one | other)
    except ParameterError:
        return False
    return True


def _takes(mode: str, name: str, value: Any) -> bool:
    return name in names_of(MODES[mode].parameters) and (name, str(value)) not in _OF_OTHER_MODES.get(mode, ())


def _deployment(mode: str, name: str, value: Any) -> dict[str, Any]:
    needed = _NEEDED.get(name, {}) | _NEEDED.get(str(value), {})
    besides = {other: needed[other] for other in needed if other in names_of(MODES[mode].parameters)}
    return {"mode": mode, **_BASE[mode], **besides, name: value}


def untried() -> set[str]:
    """Return the parameters of all modes that no deployment above has."""
    return {name for of in MODES.values() for name in names_of(of.parameters)} - _VALUES.keys()
