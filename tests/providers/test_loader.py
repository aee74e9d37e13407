"""Which file a profile is read from, and what is said of one that can't be read."""

from pathlib import Path

import pytest

from token_refresh.errors import ConfigurationError
from token_refresh_worker.providers.loader import load_provider, read_profile


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


@pytest.mark.parametrize("name", ["hubspt", "HubSpot", "hub-spot"])
def test_a_wrong_name_suggests_the_nearest(name: str) -> None:
    """A typing error in a provider's name is answered with the name that was meant."""
    with pytest.raises(ConfigurationError, match=r"did you mean hubspot\?"):
        load_provider(name)
