"""Worlds in which a command meets a secret, each beside another customer's: who deployed it, and what proves that.

And every command, as it is given there.
"""

import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cli.authorizing import brings, redirect_of, written
from cli.aws import Aws
from cli.scene import Cli, Ended
from testbed.aws.errors import ServiceError
from testbed.builders import DAY
from testbed.dynamodb.server import DynamoDbServer
from testbed.provider.token_endpoint import TokenEndpoint
from testbed.secrets_manager.server import SecretsManagerServer
from token_refresh_worker.stored.tags import LOGICAL_ID_TAG, STACK_TAG, StackResource

SECRET, COPY, MEMBERS_COPY = "mine/tokens", "mine/copy", "published/mine/tokens"
OTHER, OTHER_COPY, OTHER_CLIENT = "other/tokens", "other/copy", "other/client"
CLAIMS, FLEET, OTHER_CLAIMS = "claims", "prod", "other-claims"
WORKER, FLEETS_WORKER = "worker", "token-refresh-prod-fleet-prod"
_STACKS: Final = "arn:aws:cloudformation:eu-central-1:123456789012:stack"
STACK, FLEETS_STACK = f"{_STACKS}/{WORKER}/1", f"{_STACKS}/{FLEETS_WORKER}/2"


def _token() -> dict[str, str]:
    return {"ClientRequestToken": str(uuid.uuid4())}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Two customers' secrets on loopback, and the functions, tables and providers around them."""

    store: SecretsManagerServer
    tables: DynamoDbServer
    aws: Aws
    endpoint: TokenEndpoint
    other: TokenEndpoint
    """The other customer's provider."""

    @property
    def environment(self) -> dict[str, str]:
        """What leads commands here, and names no worker's setting."""
        addresses = {"AWS_ENDPOINT_URL_LAMBDA": f"http://{self.aws.address}", "COLUMNS": "500"}
        return self.store.environment | self.tables.environment | addresses

    @property
    def settings(self) -> dict[str, str]:
        """What the worker of this secret has in its environment, or its operator in the shell."""
        return {
            "TOKEN_SECRET_ID": SECRET,
            "PUBLISHED_SECRET_ID": COPY,
            "CLAIM_TABLE": CLAIMS,
            "PROVIDER": "upwork",
            "TOKEN_ENDPOINT": self.endpoint.url,
        }

    @property
    def fleets_settings(self) -> dict[str, str]:
        """What the worker of the fleet has in its environment."""
        return {
            "FLEET_NAME": FLEET,
            "CLAIM_TABLE": FLEET,
            "PUBLISHED_SECRET_ID": "published/{secret}",
            "TOKEN_ENDPOINT": self.endpoint.url,
        }

    @property
    def others_settings(self) -> dict[str, str]:
        """What work on the other secret left in the shell."""
        return {
            "TOKEN_SECRET_ID": OTHER,
            "PUBLISHED_SECRET_ID": OTHER_COPY,
            "CLIENT_SECRET_ID": OTHER_CLIENT,
            "CLAIM_TABLE": OTHER_CLAIMS,
            "PROVIDER": "generic",
            "TOKEN_ENDPOINT": self.other.url,
            "REPLAY_GRACE_SECONDS": "0",
        }

    def tag(self, name: str, **tags: str) -> None:
        """Tag a secret; `stack` and `logical_id` are CloudFormation's own tags."""
        named = {"stack": STACK_TAG, "logical_id": LOGICAL_ID_TAG}
        keys = {key: named.get(key, f"token-refresh:{key.replace('_', '-')}") for key in tags}
        self.store.call("TagResource", {"SecretId": name, "Tags": [{"Key": keys[k], "Value": tags[k]} for k in tags]})

    def deploy(self, name: str, variables: dict[str, str], *, stack: str | None) -> None:
        """Deploy the function; it stands for all functions of the account."""
        self.aws.function |= {"FunctionName": name, "Environment": {"Variables": variables}}
        self.aws.function_tags = {STACK_TAG: stack, LOGICAL_ID_TAG: StackResource.FUNCTION} if stack else {}

    def read(self, name: str = SECRET) -> dict[str, Any]:
        """Read a secret's document; nothing where there is no value."""
        try:
            found: dict[str, Any] = json.loads(self.store.call("GetSecretValue", {"SecretId": name})["SecretString"])
        except ServiceError:
            return {}
        return found

    def put(self, value: object, name: str = SECRET) -> None:
        """Store a value by hand."""
        text = value if isinstance(value, str) else json.dumps(value)
        self.store.call("PutSecretValue", {"SecretId": name, "SecretString": text, **_token()})

    def create(self, *names: str) -> None:
        """Make secrets without a value."""
        for name in names:
            self.store.call("CreateSecret", {"Name": name, **_token()})

    def document(self, endpoint: TokenEndpoint, **changes: Any) -> dict[str, Any]:
        """Make a token document with a live grant."""
        tokens = endpoint.grant.authorize()
        return {
            "accessToken": tokens["access_token"],
            "refreshToken": tokens["refresh_token"],
            "expiresAt": int((self.store.now() + DAY.total_seconds()) * 1000),
            "clientId": endpoint.client_id,
            "clientSecret": endpoint.client_secret,
            **changes,
        }

    def claimed_in(self, table: str) -> set[str]:
        """Name the secrets that have claims in a table."""
        return {key.rpartition(":")[2][:-7] for key in self.tables.tables[table] if key.startswith("arn:")}

    def others(self) -> object:
        """All that is the other customer's, to be compared."""
        secrets = {secret.name: secret for secret in self.store.secrets.snapshot() if secret.name.startswith("other/")}
        return secrets, dict(self.tables.tables[OTHER_CLAIMS]), len(self.other.requests)

    def everything(self) -> object:
        """All that is stored and sent, to be compared."""
        tables = {name: dict(items) for name, items in self.tables.tables.items()}
        return self.store.secrets.snapshot(), tables, len(self.endpoint.requests), len(self.other.requests)


@contextmanager
def opened() -> Iterator[Place]:
    """Serve a place with both customers' secrets; no deployment is there yet."""
    with (
        SecretsManagerServer() as store,
        DynamoDbServer() as tables,
        Aws() as aws,
        TokenEndpoint(reuse="grace") as endpoint,
        TokenEndpoint(reuse="grace") as other,
    ):
        place = Place(store=store, tables=tables, aws=aws, endpoint=endpoint, other=other)
        for table in (CLAIMS, FLEET, OTHER_CLAIMS):
            tables.create_table(table, key="secret_arn")
        tables.tags[FLEET] = {STACK_TAG: FLEETS_STACK, LOGICAL_ID_TAG: StackResource.FLEET_TABLE}
        place.create(SECRET, COPY, MEMBERS_COPY, OTHER, OTHER_COPY, OTHER_CLIENT)
        place.tag(OTHER_COPY, published_from=OTHER)
        place.put(place.document(other), OTHER)
        place.put({"accessToken": "a", "expiresAt": 1, "sourceVersionId": "v"}, OTHER_COPY)
        place.put({"clientId": "other", "clientSecret": "made-up"}, OTHER_CLIENT)
        yield place


class Fleet:
    """A fleet's table and worker, made by one stack, for tests that have a secret of their own."""

    def __init__(self, tables: DynamoDbServer, aws: Aws, **variables: str) -> None:
        self.tables, self.aws = tables, aws
        tables.create_table(FLEET, key="secret_arn")
        tables.tags[FLEET] = {STACK_TAG: FLEETS_STACK, LOGICAL_ID_TAG: StackResource.FLEET_TABLE}
        aws.function_tags = {STACK_TAG: FLEETS_STACK, LOGICAL_ID_TAG: StackResource.FUNCTION}
        self.variables = {"FLEET_NAME": FLEET, "CLAIM_TABLE": FLEET, **variables}
        aws.function |= {"FunctionName": FLEETS_WORKER, "Environment": {"Variables": self.variables}}

    @property
    def environment(self) -> dict[str, str]:
        """What leads commands to table and worker."""
        return {"AWS_ENDPOINT_URL_LAMBDA": f"http://{self.aws.address}", self.tables.endpoint_variable: self.tables.url}


IN_FLEET: Final = {"grace_seconds": 0, "host": "127.0.0.1", "store": "table", "table": FLEET}
"""What the tokens of a member say of themselves."""


def _origin(**store: str) -> dict[str, Any]:
    return {"tokenRefresh": {"host": "127.0.0.1", "grace_seconds": 86_400, **store}}


def shell(place: Place) -> dict[str, str]:
    """No tag is on the secret: the shell's variables are the settings."""
    for _ in range(2):  # One to restore.
        place.put(place.document(place.endpoint, **_origin(store="table", table=CLAIMS)))
    return place.settings


def stack(place: Place) -> dict[str, str]:
    """A stack made secret and function."""
    shell(place)
    place.tag(SECRET, stack=STACK, logical_id=StackResource.TOKENS, function=WORKER, published=COPY, claim_table=CLAIMS)
    place.deploy(WORKER, place.settings, stack=STACK)
    return {}


def adopted(place: Place) -> dict[str, str]:
    """The secret was there before the stack, and nothing but a tag says whose it is."""
    stack(place)
    place.store.call("UntagResource", {"SecretId": SECRET, "TagKeys": [STACK_TAG, LOGICAL_ID_TAG]})
    return {}


def left(place: Place) -> dict[str, str]:
    """The stack got another secret, and left this one behind."""
    stack(place)
    place.deploy(WORKER, place.settings | {"TOKEN_SECRET_ID": OTHER}, stack=STACK)
    return {}


def of_another_stack(place: Place) -> dict[str, str]:
    """Somebody tagged the secret with another stack's function."""
    stack(place)
    place.deploy(WORKER, place.settings, stack=FLEETS_STACK)
    return {}


def unreadable(place: Place) -> dict[str, str]:
    """The operator may not read the secret's tags."""
    stack(place)
    place.store.authorize = lambda call: (
        "no" if call.operation == "DescribeSecret" and call.secret_id == SECRET else None
    )
    return {}


def hidden(place: Place) -> dict[str, str]:
    """The operator may not read the function's settings."""
    stack(place)
    place.aws.shows_function = False
    return {}


def member(place: Place) -> dict[str, str]:
    """A run of the fleet has stored the tokens."""
    for _ in range(2):
        place.put(place.document(place.endpoint, provider="upwork", **_origin(store="table", table=FLEET)))
    place.tag(SECRET, fleet=FLEET)
    place.tag(MEMBERS_COPY, copy_of=SECRET)
    place.deploy(FLEETS_WORKER, place.fleets_settings, stack=FLEETS_STACK)
    return {}


def new_member(place: Place) -> dict[str, str]:
    """Somebody tagged a secret that no run of the fleet has met."""
    member(place)
    place.store.call("DeleteSecret", {"SecretId": SECRET, "ForceDeleteWithoutRecovery": True})
    place.create(SECRET)
    for _ in range(2):
        place.put(place.document(place.endpoint, provider="upwork"))
    place.tag(SECRET, fleet=FLEET)
    return {}


def in_two(place: Place) -> dict[str, str]:
    """The tags name a stack and a fleet."""
    stack(place)
    place.tag(SECRET, fleet=FLEET)
    return {}


def claimed_elsewhere(place: Place) -> dict[str, str]:
    """Somebody tagged another deployment's secret as a member."""
    member(place)
    shell(place)
    return {}


WORLDS: Final[dict[str, Callable[[Place], dict[str, str]]]] = {
    "named": adopted,
    "named member": new_member,
    **{
        made.__name__.replace("_", " "): made
        for made in (
            *(shell, stack, member, adopted, left, of_another_stack, unreadable, hidden, new_member),
            *(in_two, claimed_elsewhere),
        )
    },
}
"""Each makes the world, and gives what its operator has in the shell."""
PROVEN: Final = {"shell", "stack", "member", "named", "named member"}
OPTIONS: Final = {"named": ("--function", WORKER), "named member": ("--function", FLEETS_WORKER)}


CALLBACK: Final = "http://127.0.0.1/callback"
WRITERS: Final = {
    "authorize": "--paste --yes --authorization-endpoint=https://example.com/authorize",
    "refresh": "--force --yes",
    "refresh --invoke": "--force",
    "pause": "--for 1h",
    "resume": "",
    "restore": "--yes",
    "recover": "",
    "client": "--yes --client-file {file}",
    "revoke": "--by-hand --yes",
    "claims move": "--to versions",
}
READERS: Final = {"status": "", "doctor": "", "history": "", "verify": "--url {url}"}


def carried_out(cli: Cli, place: Place, line: str, folder: Path, *, more: str = "", **variables: str) -> Ended:
    """Run a command on the secret as an operator does who answers each question with yes."""
    words, stdin, options = line.split(), "y\n", f"{(WRITERS | READERS)[line]} {more}"
    if "{file}" in options:
        client = {"clientId": place.endpoint.client_id, "clientSecret": place.endpoint.client_secret}
        options = options.replace("{file}", str(written(folder, client)))
    if line == "authorize":
        options += f" --redirect-uri={CALLBACK}"
        stdin = redirect_of(uri=CALLBACK)
        place.endpoint.play(brings())
    given = options.replace("{url}", place.endpoint.url).split()
    name = words[: 2 if words[0] == "claims" else 1]
    return cli(*name, SECRET, *words[len(name) :], *given, stdin=stdin, **variables)


def assert_right(  # noqa: PLR0917 - what the tests have from fixtures, and a row
    cli: Cli, place: Place, hosts: set[str], folder: Path, line: str, world: str, *, beside: bool
) -> None:
    """Run a command in a world, perhaps with the other customer's settings in the shell.

    Nothing of the other customer's changes; what is not proven changes nothing at all, and says what proves it.
    """
    own = WORLDS[world](place)
    others, before = place.others(), place.everything()
    variables = place.environment | own | (place.others_settings if beside else {})

    ended = carried_out(cli, place, line, folder, more=" ".join(OPTIONS.get(world, ())), **variables)

    assert others == place.others(), ended.screen
    assert set() == hosts, ended.screen
    assert place.other.requests == []
    if world not in PROVEN:
        assert {"doctor": 0, "history": 0, "verify": 3, "status": 3}.get(line, 2) == ended.code, ended.screen
        assert before == place.everything(), ended.screen
        if line not in {"history", "verify"}:
            assert f"nothing proves which deployment secret {SECRET}" in ended.screen
            assert (world == "hidden") != ("--function NAME" in ended.screen), ended.screen
    elif world == "shell" and beside:
        assert ended.code in {1, 2, 3}, ended.screen
        assert before == place.everything(), ended.screen
        assert f"PUBLISHED_SECRET_ID names other/copy, which is the copy of {OTHER}" in ended.screen
    else:
        _in_the_right_place(place, world, line, ended)
    refused = world not in PROVEN and line in WRITERS
    assert (beside and world != "shell" and not refused) == ("Not read from the shell" in ended.err), ended.screen


def _in_the_right_place(place: Place, world: str, line: str, ended: Ended) -> None:
    """The claim is in the deployment's table, the token in its copy, and the command does what it is for."""
    table, published = (FLEET, MEMBERS_COPY) if "member" in world else (CLAIMS, COPY)
    codes = {"recover": 1, "verify": 3, "status": 1, "refresh --invoke": 2}
    if "member" in world:
        codes["claims move"] = 2
    assert codes.get(line, 0) == ended.code, ended.screen
    assert all(not items for name, items in place.tables.tables.items() if name != table)
    claims = line in {"refresh", "pause", "revoke", "claims move"} and codes.get(line, 0) == 0
    assert place.claimed_in(table) == ({SECRET} if claims else set())
    if line in {"refresh", "authorize"}:
        assert place.read()["accessToken"] == place.read(published)["accessToken"]
