"""Questions to the operator, and the file that answers one; the terminal never echoes a secret.

Client credentials never come from an option: a command line is in the shell's history, and every process can read it.
Where standard input has no more lines, a question raises `CommandFailed`; after a no or Ctrl-C, `Cancelled`.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import typer

from token_refresh.advice import Command
from token_refresh.errors import InvalidSecretDocument
from token_refresh.secret_value import SecretValue
from token_refresh.stored.json_object import read_object
from token_refresh_admin.cli.failures import EX_INTERRUPTED, Cancelled, CommandFailed
from token_refresh_admin.cli.screen import printable
from token_refresh_worker.oauth.formats import ASSERTED, AuthMethod
from token_refresh_worker.run.settings import DEFAULT_PROVIDER, Settings
from token_refresh_worker.stored.credentials import ClientCredentials, read_credentials
from token_refresh_worker.stored.document import SIZE_LIMIT_BYTES

_LONGEST_LINE: Final = 65_536  # As many bytes as a secret may have.
_TYPE_IT: Final = "type it in a terminal, or pipe one line"


def ask_secret(name: str) -> SecretValue:
    """Ask for a secret: hidden in a terminal, otherwise one line of standard input."""
    if sys.stdin.isatty():  # A pipe, such as from a password manager, has no echo to switch off.
        with _answered(_TYPE_IT):
            line = str(typer.prompt(f"{name} (hidden)", hide_input=True, err=True)).strip()
    else:
        line = sys.stdin.readline(_LONGEST_LINE).strip()
    if not line:
        raise CommandFailed(f"{name}: standard input is empty; {_TYPE_IT}")
    return SecretValue(line)


def confirm(question: str) -> None:
    """Ask a question, and end the command unless the operator says yes."""
    with _answered("run the command in a terminal, pipe an answer, or pass --yes"):
        agreed = typer.confirm(printable(question), err=True)
    if not agreed:
        raise Cancelled(1)


@contextmanager
def _answered(remedy: str) -> Iterator[None]:
    """Tell Ctrl-C from the end of standard input: Typer raises the same for both."""
    try:
        yield
    except typer.Abort as aborted:
        sys.stderr.write("\n")  # The cursor is still behind the question.
        if isinstance(aborted.__context__, KeyboardInterrupt):
            raise Cancelled(EX_INTERRUPTED) from None
        raise CommandFailed(f"standard input is empty, so the question was not answered: {remedy}") from None


def read_client_file(path: Path) -> ClientCredentials:
    """Read a JSON file with `clientId` and `clientSecret`, or `client_id` and `client_secret`."""
    only_you = Command.of("chmod 600 {}", str(path))
    try:
        with path.open(encoding="utf-8") as file:  # Fails for a folder, whose mode must not be changed.
            if os.fstat(file.fileno()).st_mode & 0o077:
                raise CommandFailed(f"others may read {path}, which holds a client secret", fix=(only_you,))
            content = file.read(SIZE_LIMIT_BYTES)
    except FileNotFoundError:
        raise CommandFailed(
            f"there is no file {path}",
            fix=(
                "Write it, with clientId and clientSecret as a JSON object, so that only you can read it: ",
                *(Command.of("touch {}", str(path)), ", then ", only_you),
            ),
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise CommandFailed(f"{path} can't be read ({why})") from None
    try:
        fields = read_object(SecretValue(content))
    except InvalidSecretDocument:
        fields = {}
    try:
        found = read_credentials(fields)
    except InvalidSecretDocument as wrong:
        raise CommandFailed(f"{path}: {wrong}") from None
    if found is None:
        raise CommandFailed(f"{path} must be a JSON object with clientId and clientSecret")
    return found


def refuse_white_space(client_id: str | None) -> None:
    """Refuse a client ID that begins or ends with white space: no run could use it."""
    if client_id is not None and client_id != client_id.strip():
        raise typer.BadParameter("--client-id begins or ends with white space")


def ask_client_id(settings: Settings, known: str | None = None) -> str:
    """Ask for the client ID."""
    what = "Client ID (the API key)" if settings.provider.name == DEFAULT_PROVIDER else "Client ID"
    with _answered(_TYPE_IT):
        return str(typer.prompt(printable(f"{what} at {settings.provider.title}"), default=known, err=True)).strip()


def ask_client(settings: Settings, client_id: str | None) -> ClientCredentials:
    """Ask for what is not known yet."""
    client_id = client_id or ask_client_id(settings)
    has_secret = settings.provider.request.auth_method not in {AuthMethod.NONE, *ASSERTED}
    return ClientCredentials(client_id=client_id, client_secret=ask_secret("Client secret") if has_secret else None)
