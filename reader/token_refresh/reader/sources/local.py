"""Secrets of local development: environment variables and files. Lambda refuses them (see `reference`)."""

import os
from datetime import UTC, datetime

from token_refresh.aws.request import AwsRequest
from token_refresh.errors import (
    ConfigurationError,
    SecretAccessDenied,
    SecretEmpty,
    SecretNotFound,
    SecretStoreUnavailable,
    TokenRefreshError,
)
from token_refresh.reader.sources.source import Source, Version
from token_refresh.reference import AMPLIFY_PLACEHOLDER, Reference, ReferenceScheme


class Local(Source):
    """Reads environment variables and files; there are no previous versions."""

    def __init__(self) -> None:
        # Variables have no time of their own: they are as old as the process.
        self._began_at = datetime.now(UTC)

    def read(self, reference: Reference) -> Version:
        """Read a variable or a file."""
        version = self._variable(reference) if reference.scheme is ReferenceScheme.ENVIRONMENT else _file(reference)
        if not version.content:
            raise SecretEmpty(f"{reference.text} is empty: put the secret there")
        return version

    def _variable(self, reference: Reference) -> Version:
        name = reference.name
        if name not in os.environ:
            raise SecretNotFound(f"{reference.text} was not found: set the variable {name} to the secret")
        if os.environ[name] == AMPLIFY_PLACEHOLDER:
            raise ConfigurationError(
                f"{reference.text} holds Amplify's placeholder, not the secret: read amplify:{name}"
            )
        return _version(reference, "environment", self._began_at, os.environ[name])


def _file(reference: Reference) -> Version:
    from pathlib import Path  # noqa: PLC0415 - a tenth of the package's import, for local development alone

    problem: TokenRefreshError
    try:
        path = Path(reference.name).expanduser()
        modified_ns = path.stat().st_mtime_ns
        modified_at = datetime.fromtimestamp(modified_ns / 1e9, UTC)
        # A file that is written again is another version, which `reject` notices.
        return _version(reference, str(modified_ns), modified_at, _without_line_end(path.read_bytes()))
    except FileNotFoundError:
        problem = SecretNotFound(f"{reference.text} was not found: write the secret to that file")
    except PermissionError:
        problem = SecretAccessDenied(f"{reference.text} can't be read: give this process permission to read the file")
    except (OSError, ValueError, RuntimeError) as error:
        problem = SecretStoreUnavailable(f"{reference.text} can't be read ({type(error).__name__}): check the path")
    # Raised here, without the OSError as its context: error reporters show that one's frames, too.
    raise problem


def _version(reference: Reference, version_id: str, created_at: datetime, content: str | bytes) -> Version:
    return Version(
        reference=reference,
        request=AwsRequest(action="", name=reference.text, region="", kind=""),
        version_id=version_id,
        created_at=created_at,
        content=content,
        how_to_renew=(f"put one into {reference.text}",),
    )


def _without_line_end(content: bytes) -> str | bytes:
    """Drop the line end that editors add at the end of a file; what is not UTF-8 stays as it is."""
    try:
        return content.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        return content
