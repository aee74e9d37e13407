"""`status`: what it says, and its exit status."""

import re
from collections.abc import Mapping
from datetime import timedelta

import pytest

from cli.scene import SECRET_ID, Cli, Tokens, grades
from pages.parts import machine
from testbed.builders import DAY, HOUR
from testbed.secrets_manager.server import SecretsManagerServer

GROUP = "unmeasured"


def test_healthy(cli: Cli, tokens: Tokens) -> None:
    """A token set that is not due is healthy, exit status 0, with its version, its expiry and when it is due."""
    version_id = tokens.store(expires_in=20 * HOUR + timedelta(seconds=30))

    ended = cli("status")

    assert 0 == ended.code
    assert f"HEALTHY {SECRET_ID} in eu-central-1 current version {version_id}" in ended.screen
    assert "(in 20 h)" in ended.screen
    assert "(in 12 h)" in ended.screen
    assert "no refresh is due" in ended.screen
    assert all(len(line) <= 80 for line in ended.out.splitlines())
    assert "single use" in cli("status", REPLAY_GRACE_SECONDS="0").screen


@pytest.mark.parametrize(("provider", "lives"), [("paypal", 17 * HOUR), ("threads", 50 * DAY)])
def test_without_a_refresh_token(cli: Cli, tokens: Tokens, provider: str, lives: timedelta) -> None:
    """A token set of a provider that has no refresh tokens is healthy without one, for `doctor` too."""
    tokens.store(expires_in=lives, refreshToken=None)

    ended = cli("status", PROVIDER=provider)

    assert (0, True) == (ended.code, "; no refresh token" in ended.screen)
    assert "ok" == grades(cli("doctor", "--json", PROVIDER=provider))["secret"]


def test_the_life_of_a_first_set(cli: Cli, tokens: Tokens) -> None:
    """Where a token set doesn't say how long its token lives, the documented life counts, for caches as well."""
    tokens.store(expires_in=HOUR)

    assert " of 6 h" in cli("status", PROVIDER="strava").screen
    short = cli("status", "--json", PROVIDER="strava", TOKEN_LIFETIME_SECONDS="3600").json
    assert 600 == short["longest_safe_cache_seconds"]


def test_unreadable_without_a_refresh_token(cli: Cli, tokens: Tokens) -> None:
    """What is wrong with such a token set is named, and not the refresh token that it lacks."""
    tokens.store(refreshToken=None, expiresAt="tomorrow")

    ended = cli("status", PROVIDER="threads")

    assert 2 == ended.code
    assert "expiresAt is not a time: it must be Unix" in ended.screen


@pytest.mark.parametrize("empty", [True, False])
def test_a_published_copy_is_no_broken_token_set(
    cli: Cli, tokens: Tokens, store: SecretsManagerServer, *, empty: bool
) -> None:
    """By its tag, or as soon as it has a value, it says what it is, and where to look instead."""
    if empty:
        tags = [{"Key": "token-refresh:published-from", "Value": "source"}]
        store.client().create_secret(Name=SECRET_ID, Tags=tags)
    else:
        tokens.put({"accessToken": "a", "expiresAt": 4_000_000_000_000, "sourceVersionId": "v"})

    ended = cli("status")

    assert 3 == ended.code or not empty
    assert "is the published copy for consumers" in ended.screen
    assert empty == ("token-refresh status source --region eu-central-1" in ended.screen)
    assert "token-refresh authorize" not in ended.screen


def test_json(cli: Cli, tokens: Tokens) -> None:
    """Machines get one JSON object with the same exit status, and times in ISO 8601."""
    version_id = tokens.store(expires_in=3 * HOUR)

    ended = cli("status", "--json")

    assert (1, "") == (ended.code, ended.err)
    assert ("attention", version_id, ["AWSCURRENT"]) == tuple(
        ended.json[name] for name in ("health", "version_id", "labels")
    )
    assert "attention" == ended.json["findings"][0]["health"]
    assert 10_700 < ended.json["seconds_to_expiry"] <= 10_801  # the service tells the time in whole seconds
    assert ended.json["due_at"].endswith("Z")


def paths(value: object, at: str = "") -> set[str]:
    """Return the names of all fields of a JSON value, as docs/json.md writes them."""
    match value:
        case dict():
            return {path for name, inner in value.items() for path in paths(inner, f"{at}.{name}".lstrip("."))}
        case list():
            return {f"{at}[]"}.union(*(paths(inner, f"{at}[]") for inner in value))
        case _:
            return {at}


@pytest.mark.parametrize(
    ("command", "described"), [("status", machine.STATUS), ("doctor", machine.DOCTOR), ("history", machine.HISTORY)]
)
def test_docs_json_md_has_each_field(command: str, described: Mapping[str, str], cli: Cli, tokens: Tokens) -> None:
    """What these commands print with `--json` has the fields that the page describes, and no other."""
    tokens.store()
    cli("refresh", "--force")
    cli("pause", "--for", "1h")

    found = paths(cli(command, "--json").json)

    assert set() == found - described.keys()
    assert 0.7 * len(described) < len(found)


def test_secret_of_another_name(cli: Cli, tokens: Tokens) -> None:
    """The secret is named by argument or variable, alike."""
    tokens.store(expires_in=20 * HOUR)

    assert "other" in cli("status", "other").screen
    assert "other" in cli("status", TOKEN_SECRET_ID="other").screen
    assert 0 == cli("status", SECRET_ID, TOKEN_SECRET_ID="other").code


def test_times_have_whole_seconds(cli: Cli, tokens: Tokens) -> None:
    """No time that is printed has a fraction of a second, for people or machines, whatever was stored."""
    tokens.store(expires_in=DAY, expiresAt=1_900_000_000_123)

    refreshed = cli("refresh", "--force")
    screens = [cli(*line.split()).out for line in ("status", "status --json", "history", "history --json")]

    for screen in [refreshed.screen, *screens]:
        assert re.search(r"\d\d:\d\d:\d\d", screen)
        assert not re.search(r"\d\d:\d\d:\d\d[.,]\d", screen), screen
