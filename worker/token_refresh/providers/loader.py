"""Load a provider from its profile, `profiles/NAME.toml`. Only the one that is asked for is read."""

import tomllib
from pathlib import Path
from typing import Final

from token_refresh.errors import ConfigurationError
from token_refresh.providers.provider import Provider
from token_refresh.providers.schema import NAME, read_provider
from token_refresh.providers.table import Table

PROFILES: Final = Path(__file__).parent / "profiles"


def profile_names(folder: Path = PROFILES) -> list[str]:
    """Return the names of all profiles, sorted."""
    return sorted(path.stem for path in folder.glob("*.toml"))


def load_provider(name: str, folder: Path = PROFILES) -> Provider:
    """Load the profile `name`.

    Args:
        name: A profile's name. It may come from a stored document, so it is checked before it names a file.
        folder: Where the profiles are.

    Raises:
        ConfigurationError: There is no such profile, or it is not valid.
    """
    path = folder / f"{name}.toml"
    if not NAME.fullmatch(name) or not path.is_file():
        raise ConfigurationError("there is no provider profile of that name; `token-refresh providers` lists all")
    return read_profile(path)


def read_profile(path: Path) -> Provider:
    """Read and check one profile.

    Raises:
        ConfigurationError: It is not valid; the message names file, key, and what the value must be.
    """
    if not NAME.fullmatch(path.stem):
        raise ConfigurationError(f"{path.name}: the name of a profile must match {NAME.pattern}")
    try:
        parsed = tomllib.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigurationError(f"{path.name} is not valid TOML: {error}") from None
    return read_provider(path.stem, Table(parsed, path.name))
