"""Every shipped profile fits the responses that its provider documents."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from token_refresh.errors import ConfigurationError
from token_refresh_admin.cli.providers import check_profile
from token_refresh_worker.oauth.formats import Grant
from token_refresh_worker.providers.loader import PROFILES, load_provider, own_profiles, profile_names, read_profile
from token_refresh_worker.providers.provider import EvidenceKind

FIXTURES = Path(__file__).parent / "fixtures"
MOST_WITHOUT_LINK = 7


@pytest.mark.parametrize("name", profile_names())
def test_a_profile_fits_its_responses(name: str) -> None:
    """Tokens are read as tokens, a dead grant as a dead grant, and what is kept is there."""
    assert [] == check_profile(PROFILES / f"{name}.toml", FIXTURES)


def test_the_readme_counts_them() -> None:
    """The README says how many providers there are, without `generic` and those that end; no fixture is left over."""
    counted = [name for name in profile_names() if name != "generic" and load_provider(name).ends_on is None]

    assert f" knows [{len(counted)} providers]" in (Path(__file__).parents[2] / "README.md").read_text()
    assert set(profile_names()) == {path.name.split(".")[0] for path in FIXTURES.iterdir()}


@pytest.mark.parametrize("name", profile_names())
def test_what_is_not_documented_is_marked(name: str) -> None:
    """What nobody verified is marked as assumed, and has no source."""
    for fact in load_provider(name).evidence:
        assert ("Not verified" == fact.source) is (fact.basis is EvidenceKind.ASSUMED)


def test_what_is_reported_has_a_link() -> None:
    """A report can be read, but for a few from conversations."""
    facts = [fact for name in profile_names() for fact in load_provider(name).evidence]
    spoken = [fact for fact in facts if fact.basis is EvidenceKind.REPORTED and not fact.source.startswith("https://")]

    assert len(spoken) <= MOST_WITHOUT_LINK


def test_a_successor_is_a_provider() -> None:
    """Who moves from a provider that ends finds its successor's profile."""
    successors = {load_provider(name).successor for name in profile_names()} - {None}

    assert successors <= set(profile_names())
    assert "google" == load_provider("fitbit").successor


@pytest.mark.parametrize("name", profile_names())
def test_an_assumed_response_to_a_dead_grant_is_marked(name: str) -> None:
    """Where nobody has seen the response to a dead grant, the profile says so."""
    fixture = json.loads((FIXTURES / f"{name}.dead.json").read_text())
    about_dead_grants = [fact for fact in load_provider(name).evidence if fact.says.startswith("A dead grant")]

    assert fixture.get("assumed", False) is any(fact.basis is EvidenceKind.ASSUMED for fact in about_dead_grants)


@pytest.mark.parametrize("name", profile_names())
def test_a_static_grace_belongs_to_a_token_that_stays(name: str) -> None:
    """Only where a refresh leaves the old refresh token alone may a request be repeated for ever."""
    provider = load_provider(name)
    if provider.grace.ends_by == "static" and name != "microsoft":
        assert provider.rotation == "never" or provider.request.grant is Grant.EXCHANGE


PROFILE = """
title = "My CRM"
token_endpoint = "https://crm.example.com/token"
rotation = "always"
grace = 0
[access_token]
lifetime_seconds = 600
[request]
grant = "client_credentials"
[response]
encoding = "form"
keep = ["region"]
[[evidence]]
says = "Everything"
source = "https://crm.example.com/docs"
on = 2026-11-24
"""


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    (tmp_path / "crm.toml").write_text(PROFILE)
    return tmp_path / "crm.toml"


def respond(profile: Path, kind: str, content: Any) -> None:
    profile.with_name(f"crm.{kind}.json").write_text(json.dumps(content))


def test_a_check_finds_each_fault(profile: Path) -> None:
    """What can't be read, what is missing and what doesn't fit is named, each by itself."""
    respond(profile, "success", {"status": 200, "body": {"error": "x"}})
    respond(profile, "dead", {"status": 200, "body": {"access_token": "a"}})
    *problems, lifetime = check_profile(profile)
    assert [
        "success: is read as unreadable (HTTP 200 with an error in it); it must be read as tokens",
        "dead: is read as tokens; it must be read as client_rejected. Add a matcher under response: dead",
    ] == problems
    assert lifetime.startswith("lifetime: access tokens live 10 minutes, and with claims kept in a table they must")
    respond(profile, "success", {"status": 200, "body": {"access_token": "a", "expires_in": 600}})
    respond(profile, "dead", {"status": 401, "body": {"error": "invalid_client"}})
    assert ["success: has no region to keep", "lifetime"] == [
        p.split(":")[0] if "lif" in p else p for p in check_profile(profile)
    ]


@pytest.mark.parametrize(
    "content",
    [[], {}, {"status": 200}, {"status": "x", "body": {}}, {"status": 200, "body": 7}, {"status": 1e999, "body": {}}],
)
def test_a_fixture_that_is_none_is_named(profile: Path, content: Any) -> None:
    """The error names the file and shows what it should look like."""
    with pytest.raises(
        ConfigurationError, match=r"crm.success.json is missing: write a JSON object with the status and the body"
    ):
        check_profile(profile)
    respond(profile, "success", content)
    with pytest.raises(
        ConfigurationError, match=r"crm.success.json must be a JSON object with the status and the body"
    ):
        check_profile(profile)


def test_a_profile_that_is_not_there_is_named(tmp_path: Path) -> None:
    """A path that leads nowhere is an error that names the file."""
    with pytest.raises(ConfigurationError, match=r"nowhere\.toml can't be read"):
        read_profile(tmp_path / "nowhere.toml")


def test_a_folder_of_one_s_own_comes_first(profile: Path) -> None:
    """A profile of one's own is found by its name, also where it replaces one of ours."""
    own = own_profiles({"PROVIDER_PROFILES": str(profile.parent)})
    profile.with_name("xero.toml").write_text(PROFILE)

    assert {"crm", "upwork", "xero"} <= set(profile_names(own))
    assert ("My CRM", "My CRM", "Upwork") == tuple(load_provider(n, own).title for n in ("crm", "xero", "upwork"))
    assert "crm" not in profile_names()
    assert None is own_profiles({})


def test_a_folder_that_is_none_is_named(tmp_path: Path) -> None:
    """A misspelt folder is an error, and not an empty one."""
    with pytest.raises(ConfigurationError, match="PROVIDER_PROFILES must be a folder with profiles"):
        own_profiles({"PROVIDER_PROFILES": str(tmp_path / "nowhere")})


def test_the_page_names_assumed_responses() -> None:
    """docs/providers.md lists each profile whose response to a dead grant is assumed, and no other."""
    page = (Path(__file__).parents[2] / "docs" / "providers.md").read_text()
    listed = page.partition("reject a dead refresh token: ")[2].partition("Their profiles assume")[0]
    assumed = [name for name in profile_names() if '"assumed": true' in (FIXTURES / f"{name}.dead.json").read_text()]

    assert assumed == re.findall("`([a-z0-9-]+)`", listed)


def test_a_profile_without_pkce_says_why() -> None:
    """Where a code goes without PKCE, a line of evidence says what is known."""
    without = [load_provider(name) for name in profile_names()]
    without = [provider for provider in without if provider.authorization and not provider.authorization.pkce]

    assert without
    for provider in without:
        assert [fact for fact in provider.evidence if "PKCE" in fact.says], provider.name


# Which file a profile is read from, and what is said of one that can't be read.


def written(folder: Path, text: str, name: str = "example.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_that_is_no_toml_is_named(tmp_path: Path) -> None:
    """The error names the file and the line."""
    with pytest.raises(ConfigurationError, match=r"example.toml is not valid TOML: Invalid value \(at"):
        read_profile(written(tmp_path, "title = "))
    with pytest.raises(ConfigurationError, match=r"example.toml is nested too deeply; a profile has two levels"):
        read_profile(written(tmp_path, "title = " + "[" * 5_000 + "]" * 5_000))
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match=r"binary.toml is not valid TOML"):
        read_profile(tmp_path / "binary.toml")


def test_a_file_s_name_is_the_provider_s(tmp_path: Path) -> None:
    """The name goes into settings, tags and metrics, so it is plain."""
    with pytest.raises(ConfigurationError, match=r"My CRM.toml: the name of a profile must match"):
        read_profile(written(tmp_path, "", "My CRM.toml"))


@pytest.mark.parametrize(
    "name", ["", "canary", "../profiles/upwork", "upwork.toml", "UPWORK", "/etc/passwd", "a" * 300]
)
def test_only_a_profile_s_name_names_a_file(name: str) -> None:
    """A name may come from a stored document, and must not reach another file."""
    with pytest.raises(ConfigurationError, match="there is no provider profile of that name") as caught:
        load_provider(name)

    assert "canary" not in str(caught.value)
