"""Load a provider from its profile, `profiles/NAME.toml`. Only the one that is asked for is read."""

import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache, partial
from pathlib import Path
from typing import Final

from token_refresh.advice import Command
from token_refresh.errors import ConfigurationError
from token_refresh_worker.providers.provider import Provider
from token_refresh_worker.providers.schema import NAME, read_provider
from token_refresh_worker.providers.table import TomlTable

PROFILES: Final = Path(__file__).parent / "profiles"


IN_ZIP: Final = "in the zip"
"""What a deployed function has for `PROVIDER_PROFILES`, if profiles of the deployment's own are among ours."""


def own_profiles(environment: Mapping[str, str]) -> Path | None:
    """Return the folder with the operator's own profiles; None where there is none but ours."""
    given = environment.get("PROVIDER_PROFILES")
    if not given or given == IN_ZIP:
        return None
    if not Path(given).is_dir():
        raise ConfigurationError.of("PROVIDER_PROFILES", "must be a folder with profiles, NAME.toml")
    return Path(given)


def profile_names(own: Path | None = None) -> list[str]:
    """Return the names of all profiles, sorted; `own` is a folder with more of them."""
    return sorted(_names_of_ours() | {path.stem for path in (own.glob("*.toml") if own else ())})


@cache
def _names_of_ours() -> frozenset[str]:
    return frozenset(path.stem for path in PROFILES.glob("*.toml"))


def load_provider(name: str, own: Path | None = None) -> Provider:
    """Load the profile `name`, from the operator's own folder if it is there.

    The name may come from a stored document, so it is checked before it names a file.
    """
    # The user's own profile wins: a provider may treat their client in another way than ours describes.
    if own is not None and NAME.fullmatch(name) and (own / f"{name}.toml").is_file():
        return read_profile(own / f"{name}.toml")
    if name in _names_of_ours():
        return _read_ours(name)
    listing = Command.of("token-refresh providers", is_complete=True)
    raise ConfigurationError(
        f"there is no provider profile of that name{nearest(name, own)}", fix=("List them: ", listing)
    )


@cache
def _read_ours(name: str) -> Provider:
    """Read each of ours once: a command asks for its provider several times, and a fleet's function for each secret."""
    return read_profile(PROFILES / f"{name}.toml")


def nearest(name: str, own: Path | None = None) -> str:
    """Suggest the profile whose name is nearest to a wrong one; empty where none is near."""
    # The wrong name is not quoted: it may be a secret in a name's place.
    return "".join(f" (did you mean {near}?)" for near in get_close_matches(name[:99].lower(), profile_names(own), n=1))


def read_profile(path: Path) -> Provider:
    """Read and check one profile; an error names file and key, and what the value must be."""
    if not NAME.fullmatch(path.stem):
        raise ConfigurationError(f"{path.name}: the name of a profile must match {NAME.pattern}")
    try:
        parsed = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError:
        raise ConfigurationError(f"{path.name} can't be read; give the path of a profile, NAME.toml") from None
    except ValueError as error:
        raise ConfigurationError(f"{path.name} is not valid TOML: {error}") from None
    except RecursionError:  # tomllib recurses into each bracket
        raise ConfigurationError(f"{path.name} is nested too deeply; a profile has two levels") from None
    return TomlTable(parsed, path.name).read_all(partial(read_provider, path.stem))
