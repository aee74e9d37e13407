"""`status`, `doctor` and `refresh` agree in every stored state: what one says no other denies, and a run does."""

import re
from dataclasses import dataclass
from typing import Any

import pytest

from cli.scene import Cli, Ended, Tokens
from cli.states import STATES, Stage
from testbed.provider.token_endpoint import TokenEndpoint
from testbed.secrets_manager.server import SecretsManagerServer

PLAIN_REFRESH = re.compile(r"token-refresh refresh \S+ --region \S+(?! --force)`?$")
CONTRADICTIONS = (
    (r"sends nothing: the refresh token was used", r"tries again|refresh now|the next scheduled attempt"),
    (r"sends nothing", r"refresh now:"),
    (r"sends nothing: no refresh is due", r"tries again|overdue"),
    (r"does not fit the stored tokens", r"tries again|the next run|refresh now|overdue"),
    (r"HEALTHY", r"FAILED tokens|look tokens|look last refresh: .* ago"),
    (r"rejected the refresh token|may have been redeemed", r"check the schedule"),
    (r"\bok last refresh", r"attempt \d+ \([^)]+\) failed: |rejected the refresh token"),
)
"""Sentences that can't both be true of one secret."""

DOES = {"would_refresh": "refreshed", "would_recover": "recovered", "fresh": "fresh", "yielded": "yielded"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What the commands say of one state, and what a run then does."""

    printed: str
    next_run: str
    findings: list[dict[str, str]]
    checks: list[dict[str, str]]
    dry: Ended
    real: Ended
    requests: int
    changed_by_looking: bool
    after: Any


@pytest.fixture(params=STATES)
def said(  # noqa: PLR0917 - fixtures
    request: pytest.FixtureRequest,
    cli: Cli,
    tokens: Tokens,
    store: SecretsManagerServer,
    endpoint: TokenEndpoint,
    monkeypatch: pytest.MonkeyPatch,
) -> Said:
    # In one state the claims are in a table that nobody can reach.
    monkeypatch.setattr("token_refresh_worker.adapters.calls.PATIENCE_SECONDS", 0.0)
    variables = STATES[request.param](Stage(cli=cli, tokens=tokens, store=store, endpoint=endpoint)) or {}
    before = store.secrets.snapshot()
    status, doctor = cli("status", COLUMNS="500", **variables), cli("doctor", COLUMNS="500", **variables)
    fields, checks = cli("status", "--json", **variables).json, cli("doctor", "--json", **variables).json["checks"]
    dry = cli("refresh", "--dry-run", **variables)
    changed, requests = before != store.secrets.snapshot(), len(endpoint.requests)
    real = cli("refresh", **variables)
    return Said(
        printed=" ".join(ended.screen for ended in (status, doctor, dry)),
        next_run=next(iter(re.findall(r"next run +(.+)", status.out)), "fails"),  # without a token set
        findings=fields.get("findings", []),
        checks=checks,
        dry=dry,
        real=real,
        requests=len(endpoint.requests) - requests,
        changed_by_looking=changed,
        after=cli("status", "--json", **variables).json,
    )


def timeless(found: dict[str, str]) -> str:
    """Return what was found without how long ago: time passes between two commands."""
    return re.sub(r"\d+ (d|h|min|s)\b ?", "", found["text"])


def test_they_agree(said: Said) -> None:
    """No two sentences contradict each other, `doctor` finds what `status` finds, a run does what was said.

    And if a finding says that the next run or `refresh` mends it, the run has mended it.
    """
    refused = [pair for pair in CONTRADICTIONS if all(re.search(sentence, said.printed) for sentence in pair)]
    assert [] == refused, said.printed

    tokens = [check for check in said.checks if check["name"] == "tokens" and check["grade"] != "ok"]
    assert [timeless(finding) for finding in said.findings] == [timeless(check) for check in tokens]

    assert not said.changed_by_looking, "status, doctor and a dry run change nothing"
    assert (said.requests > 0) == said.next_run.startswith("refreshes"), said.next_run
    assert (said.real.code != 0) == (said.dry.code != 0), said.real.screen
    if said.dry.code == 0:
        assert DOES[said.dry.out.split("\n")[0].replace(" ", "_")] == said.real.out.split("\n")[0]
    else:
        assert not said.next_run.startswith(("refreshes", "makes"))

    promised = [
        timeless(f) for f in said.findings if "the next run" in f["remedy"] or PLAIN_REFRESH.search(f["remedy"])
    ]

    assert not set(promised) & {timeless(finding) for finding in said.after.get("findings", [])}
