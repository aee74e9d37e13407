"""`token-refresh fleet clients`: move the client credentials out of a fleet's token documents."""

import uuid
from collections.abc import Callable, Sequence
from typing import Annotated, Final, TypeVar

import typer

from token_refresh.advice import Command
from token_refresh.stored.json_object import write_object
from token_refresh_worker.bootstrap import SystemClock
from token_refresh_worker.changes.change import CLIENT_KEYS, fields_of, repeated, swap
from token_refresh_worker.cli.command import OF_A_FLEET, command
from token_refresh_worker.cli.context import Context
from token_refresh_worker.cli.failures import EX_NEEDS_PERSON, CommandFailed
from token_refresh_worker.cli.fleet.lanes import LANES
from token_refresh_worker.cli.fleet.members import for_each
from token_refresh_worker.cli.fleet.pause import Name
from token_refresh_worker.cli.membership import find_index, store_client
from token_refresh_worker.cli.screen import message, output, show, text
from token_refresh_worker.core.versions import CURRENT
from token_refresh_worker.stored.credentials import ClientCredentials, read_credentials

T = TypeVar("T")

PLACE: Final = "clients/{provider}"
_LANES: Final = 4
"""How many documents are changed at once: two writes each, of the fleet's own 40 a second."""


@command(
    "fleet clients",
    "--fleet prod",
    "--fleet prod --remove --function token-refresh-prod-fleet-prod",
    shares=(*OF_A_FLEET, "provider", "function"),
)
def clients(
    context: Context,
    *,
    fleet: Name,
    to: Annotated[str, typer.Option(help="Name of the secrets, with {provider} in it.")] = PLACE,
    remove: Annotated[
        bool, typer.Option("--remove", help="Take the client out of the documents, after the deployment (--function).")
    ] = False,
) -> int:
    """Store each provider's client in a secret of its own, so that who reads a token document doesn't see it.

    Runs read the documents until you deploy `client_secret`, and nothing is taken out of them before. Then --remove
    does that, where the deployed worker reads exactly the same client elsewhere.
    """
    names = [row.secret_arn for row in find_index(context, fleet).rows()]
    return _remove(context, names) if remove else _store(context, names, fleet, to)


def _store(context: Context, names: Sequence[str], fleet: str, to: str) -> int:
    if to.count("{provider}") != 1 or "#" in to:
        raise typer.BadParameter("--to must have {provider} in it once, and no #field")
    found: dict[str, list[tuple[ClientCredentials, list[str]]]] = {}
    for name, (provider, client) in _each(context, "reading", names, lambda name: _client_of(context, name)).items():
        known = found.setdefault(provider, [])
        alike = next((those for one, those in known if one == client), None)
        if alike is not None:
            alike.append(name)
        elif client is not None:
            known.append((client, [name]))
    for provider, several in found.items():
        if len(several) > 1:  # Each grant belongs to its own client; another one's credentials end it.
            seen = "; ".join(f"{client.client_id} in {len(those)}, as in {those[0]}" for client, those in several)
            raise CommandFailed(
                f"the documents of provider {provider} have {len(several)} clients, or secrets of one ({seen}); "
                "nothing was stored",
                fix='Make them one, or write client_secret = "documents" into the fleet\'s file',
            )
    for provider, several in sorted(found.items()):
        for client, those in several:
            secret_id = to.replace("{provider}", provider)
            store_client(context, secret_id, client)
            output().print(text(f"{secret_id} has the client of {len(those)} documents"))
    output().print(text("Write this line into the fleet's file, and deploy; runs go on meanwhile:"))
    output().print(text(f'client_secret = "{to}"'))
    again = Command.of(
        "token-refresh fleet clients --fleet {} --remove --function {} --region {}", fleet, "NAME", context.region
    )
    show(output(), *message("Then take the client out of the documents: ", again))
    return 0


def _client_of(context: Context, secret_id: str) -> tuple[str, ClientCredentials | None]:
    """Read a document's provider, and the client beside its tokens."""
    fields = fields_of(context.store(secret_id).read(label=CURRENT))
    return str(fields.get("provider") or context.environment.get("PROVIDER") or "generic"), read_credentials(fields)


def _remove(context: Context, names: Sequence[str]) -> int:
    place = context.environment.get("CLIENT_SECRET_ID")
    if context.function is None:
        raise typer.BadParameter(
            "--remove needs --function NAME, the fleet's worker: it says where runs read the client"
        )
    if not place:
        raise CommandFailed(
            f"function {context.function} reads the client from the token documents; nothing was changed",
            fix="Write client_secret into the fleet's file and deploy first",
        )
    taken = _each(context, "changing", names, lambda name: _remove_from(context, name, place), lanes=_LANES)
    removed = sum(taken.values())
    output().print(text(f"{removed} of {len(names)} documents had a client, and have none any more"))
    return 0


def _remove_from(context: Context, secret_id: str, place: str) -> bool:
    """Take the client out of a document; whether one was there.

    Raises:
        CommandFailed: Runs read another client, or kept changing the secret.
    """
    store = context.store(secret_id)

    def once() -> bool | None:
        current = store.read(label=CURRENT)
        fields = fields_of(current)
        client = read_credentials(fields)
        if current is None or client is None:
            return False
        name, _, field = place.replace("{provider}", _client_of(context, secret_id)[0]).partition("#")
        elsewhere = fields_of(context.store(name).read(label=CURRENT))
        inner = elsewhere.get(field) if field else elsewhere
        if not isinstance(inner, dict) or read_credentials(inner) != client:
            raise CommandFailed(f"secret {name} has another client than this document, which stays as it is")
        rest = {key: value for key, value in fields.items() if key not in CLIENT_KEYS}
        return swap(store, current.version_id, str(uuid.uuid4()), write_object(rest)) or None

    done = repeated(once, SystemClock())
    if done is None:
        raise CommandFailed.for_now("runs kept changing this secret; the client is still in it")
    return done


def _each(
    context: Context, doing: str, names: Sequence[str], act: Callable[[str], T], *, lanes: int = LANES
) -> dict[str, T]:
    """Act on each secret, several at once, and return what came of it.

    Raises:
        CommandFailed: Some failed; the first ones are printed.
    """
    results: dict[str, T] = {}

    def one(name: str) -> None:
        results[name] = act(name)

    done, code = for_each(context, doing, names, one, lanes=lanes)
    if failed := len(names) - len(done):
        failure = CommandFailed(f"{failed} of {len(names)} secrets failed", fix="Correct that, then run it again")
        failure.needs_person = code == EX_NEEDS_PERSON
        raise failure
    return results
