"""Where `authorize` gets new client credentials from: a file, or a prompt.

Never from an option: a command line is in the shell's history, and every process can read it.
"""

import os
from pathlib import Path

from token_refresh.advice import Command
from token_refresh.errors import InvalidSecretDocument
from token_refresh.secret_value import SecretValue
from token_refresh.stored.json_object import read_object
from token_refresh_worker.cli.console.failures import CommandFailed
from token_refresh_worker.cli.console.prompts import ask, ask_secret
from token_refresh_worker.oauth.formats import ASSERTED, AuthMethod
from token_refresh_worker.run.settings import Settings
from token_refresh_worker.stored.credentials import ClientCredentials, read_credentials
from token_refresh_worker.stored.document import SIZE_LIMIT_BYTES


def read_client_file(path: Path) -> ClientCredentials:
    """Read a JSON file with `clientId` and `clientSecret`, or `client_id` and `client_secret`.

    Raises:
        CommandFailed: It can't be read, others may read it, or it is not such a file.
    """
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
    except OSError as error:
        raise CommandFailed(f"{path} can't be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise CommandFailed(f"{path} is not text in UTF-8") from None
    try:
        found = read_credentials(read_object(SecretValue(content)))
    except InvalidSecretDocument:
        found = None
    if found is None:
        raise CommandFailed(f"{path} must be a JSON object with clientId and clientSecret")
    return found


def ask_client(settings: Settings, client_id: str | None) -> ClientCredentials:
    """Ask for what is not known yet."""
    what = "Client ID (the API key)" if settings.provider.name == "upwork" else "Client ID"
    client_id = client_id or ask(f"{what} at {settings.provider.title}")
    has_secret = settings.provider.request.auth_method not in {AuthMethod.NONE, *ASSERTED}
    return ClientCredentials(client_id=client_id, client_secret=ask_secret("Client secret") if has_secret else None)
