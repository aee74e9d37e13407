"""`token-refresh providers`: the list, one profile with its evidence, and the check of a profile of one's own."""

import json
from pathlib import Path

import pytest

from cli.scene import Cli
from token_refresh_admin.cli.providers import grace_text, request_text
from token_refresh_worker.providers.loader import load_provider, profile_names

PROFILE = """
title = "My CRM"
token_endpoint = "https://crm.example.com/token"
rotation = "always"
grace = "until_used"

[refresh_token]
lifetime_seconds = 864000
fixed = true

[[evidence]]
says = "Everything"
source = "https://crm.example.com/docs"
on = 2026-11-24
"""
TOKENS = {"access_token": "a", "refresh_token": "r", "expires_in": 3600}


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    path = tmp_path / "my-crm.toml"
    path.write_text(PROFILE)
    respond(path, "success", 200, TOKENS)
    respond(path, "dead", 400, {"error": "invalid_grant"})
    return path


def respond(profile: Path, kind: str, status: int, body: object) -> None:
    profile.with_name(f"{profile.stem}.{kind}.json").write_text(json.dumps({"status": status, "body": body}))


def test_every_provider_is_listed(cli: Cli) -> None:
    """The list has one line for each profile; a name without one says how to see all names."""
    ended, unknown = cli("providers"), cli("providers", "nowhere")

    assert (0, 2) == (ended.code, unknown.code)
    listed = {line.split()[0] for line in ended.out.splitlines() if line and not line.startswith(" ")}
    assert set(profile_names()) <= listed
    assert "there is no provider profile of that name" in unknown.screen


def test_one_provider_is_shown_with_its_evidence(cli: Cli) -> None:
    """What is only reported or assumed is marked, and each fact has its source and date."""
    ended = cli("providers", "zoho")

    assert 0 == ended.code
    for part in (
        "Zoho (zoho)",
        "https://accounts.{region}/oauth/v2/token",
        "region: one of com, eu, in, com.cn, com.au, jp, ca, sa, uk",
        "kept for services   api_domain",
        "10 in 10 min for each grant",
        "due before expiry",
        "20 min",
        "- A dead refresh token is invalid_code",
    ):
        assert part in ended.out
    assert "Not verified, 2026-11-25 (assumed, not verified)" in cli("providers", "figma").out
    assert "2026-11-24 (reported, not documented)" in cli("providers", "upwork").out


def test_what_becomes_of_a_provider_is_shown(cli: Cli) -> None:
    """What a refresh ends, where tokens are revoked, and what changes when: each is shown if it is known."""
    names = ("fitbit", "zendesk", "canva", "generic")
    fitbit, zendesk, canva, generic = (cli("providers", name).screen for name in names)

    assert "ends on 2026-11-02, successor: google" in fitbit
    assert "- From 2026-11-02: The Web API and its OAuth endpoints are gone" in fitbit
    assert "old access token dies with the refresh" in zendesk
    assert "revocation https://api.canva.com/rest/v1/oauth/revoke" in canva
    assert "old access token not stated; it counts as ended" in canva
    assert all(said in generic for said in ("set TOKEN_ENDPOINT", "set by the server", "single use"))


@pytest.mark.parametrize(("seconds", "says"), [(540, True), (541, False), (0, False)])
def test_a_grace_says_what_it_cannot_do(profile: Path, cli: Cli, seconds: int, *, says: bool) -> None:
    """A grace that a dead run's claim may outlive is shown with that: a crash costs what it costs at single use."""
    profile.write_text(PROFILE.replace('grace = "until_used"', f"grace = {seconds}"))

    shown = cli("providers", "my-crm", "--profiles", str(profile.parent)).screen

    assert says == ("after a crash not sent again: the grace may end before the claim of the run that died" in shown)


def test_profiles_of_one_s_own_are_listed_and_printed(cli: Cli, profile: Path) -> None:
    """A folder of profiles is added by an option or a variable."""
    assert "My CRM" in cli("providers", "--profiles", str(profile.parent)).out
    printed = cli("providers", "my-crm", PROVIDER_PROFILES=str(profile.parent)).out
    assert "until the new one is used" in printed
    assert "10 d from the consent" in printed


def test_a_profile_that_does_not_fit(cli: Cli, profile: Path) -> None:
    """The check names what is read, what must be read, and the key to change."""
    respond(profile, "success", 200, {"access_token": "a"})
    respond(profile, "dead", 200, {"error": "gone"})

    ended = cli("providers", "--check", str(profile))

    assert 2 == ended.code
    for part in (
        "success: doesn't say when the token expires; set lifetime_seconds under access_token",
        "success: has no expiry in the form expires_in; correct expiry under response",
        "success: has no refresh token, and rotation is always",
        "dead: is read as unreadable (HTTP 200 with an error in it, among the fields /error); it must be read as ",
    ):
        assert part in ended.screen


@pytest.mark.parametrize(
    ("added", "said"),
    [
        (f"x = {'[' * 5_000}", "my-crm.toml is nested too deeply; a profile has two levels"),
        ('[variables]\nshop = "a{1,99999999999999999999}"', "my-crm.toml: variables: shop must be a pattern"),
        ('[request]\nnames = { refresh_token = "" }', "my-crm.toml: request: names must be without refresh_token"),
        ('[[response.dead]]\nstatus = 204\nfields = { error = "x" }', "my-crm.toml: response: dead[0]: status must be"),
    ],
)
def test_a_profile_that_could_not_work(cli: Cli, profile: Path, added: str, said: str) -> None:
    """What a file has wrong is named by file and key, and never ends the check as an internal error."""
    profile.write_text(f"{PROFILE}\n{added}")

    ended = cli("providers", "--check", str(profile))

    assert 2 == ended.code
    assert said in ended.screen


def test_a_profile_that_fits_its_responses(cli: Cli, profile: Path) -> None:
    """One command checks a profile and its two responses; half of a surrogate pair in one is no internal error."""
    for form, name in (("", "CRM"), ('[response]\nencoding = "form"', "\ud800")):
        profile.write_text(f"{PROFILE}\n[access_token]\nlifetime_seconds = 3600\n{form}")
        respond(profile, "success", 200, TOKENS | {"name": name})

        ended = cli("providers", "--check", str(profile))

        assert (0, "my-crm.toml is valid and fits both responses.\n") == (ended.code, ended.out), ended.screen


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("paypal", "no refresh token"),
        ("google", "stays valid"),
        ("box", "until the new one is used"),
        ("upwork", "1 d"),
        ("github", "single use"),
        ("reddit", "not known; treated as single use"),
    ],
)
def test_how_long_a_used_token_works(name: str, said: str) -> None:
    """What a repeated request may rely on: a rotated token works once, and of one that stays nobody may know."""
    assert said == grace_text(load_provider(name))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("upwork", "RFC 6749"),
        ("notion", "json, client_secret_basic"),
        ("paypal", "client_secret_basic, client_credentials"),
        ("facebook", "query, exchange"),
    ],
)
def test_what_a_request_has_of_its_own(name: str, said: str) -> None:
    """What a provider's refresh request does otherwise than most is named, and nothing else."""
    assert said == request_text(load_provider(name))
