"""`status`, `doctor` and `refresh` agree in every stored state: what one says no other denies, and a run does."""

import re

import pytest

from cli.scene import Cli, Tokens
from cli.states import STATES, Stage
from testbed.provider.token_endpoint import TokenEndpoint
from testbed.secrets_manager.server import SecretsManagerServer

GROUP = "unmeasured"

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


def timeless(found: list[dict[str, str]]) -> list[str]:
    """Return what was found without how long ago: time passes between two commands."""
    return [re.sub(r"\d+ (d|h|min|s)\b ?", "", one["text"]) for one in found]


@pytest.mark.parametrize("name", STATES)
def test_they_agree(  # noqa: PLR0917 - fixtures
    cli: Cli,
    tokens: Tokens,
    store: SecretsManagerServer,
    endpoint: TokenEndpoint,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    """No two sentences contradict each other, `doctor` finds what `status` finds, a run does what was said.

    And if a finding says that the next run or `refresh` mends it, the run has mended it.
    """
    # In one state the claims are in a table that nobody can reach.
    monkeypatch.setattr("token_refresh_worker.adapters.calls.PATIENCE_SECONDS", 0.0)
    variables = STATES[name](Stage(cli=cli, tokens=tokens, store=store, endpoint=endpoint)) or {}
    before = store.secrets.snapshot()
    status, doctor = cli("status", COLUMNS="500", **variables), cli("doctor", COLUMNS="500", **variables)
    findings = cli("status", "--json", **variables).json.get("findings", [])
    checks = cli("doctor", "--json", **variables).json["checks"]
    dry = cli("refresh", "--dry-run", **variables)
    looked, requests = store.secrets.snapshot(), len(endpoint.requests)
    real = cli("refresh", **variables)
    next_run = next(iter(re.findall(r"next run +(.+)", status.out)), "fails")  # without a token set

    printed = " ".join(ended.screen for ended in (status, doctor, dry))
    refused = [pair for pair in CONTRADICTIONS if all(re.search(sentence, printed) for sentence in pair)]
    assert [] == refused, printed
    of_tokens = [check for check in checks if check["name"] == "tokens" and check["grade"] != "ok"]
    assert timeless(findings) == timeless(of_tokens)
    assert before == looked, "status, doctor and a dry run change nothing"
    assert (len(endpoint.requests) > requests) == next_run.startswith("refreshes"), next_run
    assert (real.code != 0) == (dry.code != 0), real.screen
    if dry.code == 0:
        assert DOES[dry.out.split("\n")[0].replace(" ", "_")] == real.out.split("\n")[0]
    else:
        assert not next_run.startswith(("refreshes", "makes"))

    promised = [f for f in findings if "the next run" in f["remedy"] or PLAIN_REFRESH.search(f["remedy"])]
    after = cli("status", "--json", **variables).json.get("findings", [])
    assert not {*timeless(promised)} & {*timeless(after)}
