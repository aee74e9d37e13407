"""One secret with a live grant and its published copy, services that read it, and operators who only read messages.

Their commands run in this process, or each in a process of its own.
"""

import contextlib
import io
import json
import os
import re
import shlex
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final, Protocol, Self

from cli.authorizing import consent, written
from cli.aws import Aws
from cli.scene import Cli, Ended
from cli.terminals import begin
from cli.worlds import FLEET, FLEETS_STACK, FLEETS_WORKER, STACK, WORKER
from testbed.aws.faults import Call
from testbed.dynamodb.server import DynamoDbServer
from testbed.process import Child
from testbed.provider.authorization_server import AuthorizationServer
from testbed.secrets_manager.server import SecretsManagerServer
from token_refresh.reader import TokenReader
from token_refresh_worker.core.versions import published_version_id
from token_refresh_worker.stored.tags import LOGICAL_ID_TAG, STACK_TAG, StackResource

SECRET: Final = "shop/prod/upwork"
PUBLISHED: Final = "shop/prod/upwork-published"
CLIENT: Final = "shop/prod/client"
TABLE: Final = "claims"
REGION: Final = "eu-central-1"
WRITES: Final = {"PutSecretValue", "UpdateSecretVersionStage", "UpdateItem"}

_PAGE: Final = re.compile(r"http\S+\bstate=\S+")
_LOOKS: Final = {"status", "doctor", "history", "providers"}
_LIST: Final = "aws secretsmanager list-secrets"
_RISKY: Final = "--resend"
Begun = SimpleQueue[int]
"""The IDs of processes, as they begin."""


class Run(Protocol):
    """Runs one command; a page that it shows for consent is answered with the address of the redirect."""

    def __call__(
        self, arguments: Sequence[str], environment: Mapping[str, str], stdin: str, begun: Begun | None = None
    ) -> Ended:
        """Return how it ended."""


class _Typed(io.StringIO):
    """What an operator types, who looks at the screen where they are to consent."""

    def __init__(self, typed: str, screen: io.StringIO) -> None:
        super().__init__(typed)
        self._screen = screen

    def readline(self, size: int | None = -1, /) -> str:  # type: ignore[override]  # as StringIO's
        page = _PAGE.search(self._screen.getvalue())
        return super().readline(-1 if size is None else size) or (f"{consent(page[0])}\n" if page else "")


def in_this_process(cli: Cli) -> Run:
    """Run commands with the fixture `cli`."""

    def run(arguments: Sequence[str], environment: Mapping[str, str], stdin: str, begun: Begun | None = None) -> Ended:
        if begun is not None:
            begun.put(os.getpid())
        return cli(*arguments, stdin=lambda screen: _Typed(stdin, screen), **environment)

    return run


class Processes:
    """Runs each command in a process of its own, which is forked off one that has imported everything."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._forks = Child("cli.forked", str(folder / "forks"))

    def __enter__(self) -> Self:
        self._forks.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._forks.close()

    def __call__(
        self, arguments: Sequence[str], environment: Mapping[str, str], stdin: str, begun: Begun | None = None
    ) -> Ended:
        """Run one command."""
        (typed, types), (shown, shows) = os.pipe(), os.pipe()
        with (
            tempfile.TemporaryFile("w+") as out,
            os.fdopen(shown, encoding="utf-8") as screen,
            os.fdopen(types, "w", encoding="utf-8") as keyboard,
        ):
            files = [typed, out.fileno(), shows]
            forks, process_id = begin(self._forks.announced["address"], arguments, self._folder, environment, files)
            os.close(typed)
            os.close(shows)
            if begun is not None:
                begun.put(process_id)
            err = ""
            with contextlib.suppress(BrokenPipeError):
                keyboard.write(stdin)
                keyboard.flush()
                for line in screen:
                    err += line
                    if page := _PAGE.search(line):
                        keyboard.write(f"{consent(page[0])}\n")
                        keyboard.close()
                    elif not keyboard.closed and arguments[0] != "authorize":
                        keyboard.close()
            code = int(forks.recv(99))
            forks.close()
            out.seek(0)
            return Ended(code=code, out=out.read(), err=err + screen.read())


class Desk:
    """Everything that a row of a table needs, on loopback; the clock is that of the services, and can be moved."""

    def __init__(
        self,
        run: Run,
        provider: AuthorizationServer,
        folder: Path,
        *,
        table: bool = False,
        single_use: bool = False,
        world: str = "shell",
    ) -> None:
        """Describe it; in the world `stack`, or `member` of a fleet, a deployed function has the settings."""
        self.provider = provider
        self.store = SecretsManagerServer(on_call=self._called)
        self.table = DynamoDbServer(on_call=self._called)
        self.aws = Aws()
        self.folder = folder
        self.denied: set[str] = set()
        """Actions that the operators may not take until somebody allows them."""
        self.piped: object = None
        """The value that an operator pipes into a command of AWS."""
        self.consents = False
        """Whether a new grant is right although a set of the old one is left, and alive."""
        self._run, self._in_table, self._single_use, self._world = run, table, single_use, world
        self.published = f"published/{SECRET}" if world == "member" else PUBLISHED
        self._writes_left, self._lock = 0, threading.Lock()
        self._strike: Callable[[], None] = lambda: None
        self._cleanup = ExitStack()
        self.client: Any = None

    def __enter__(self) -> Self:
        """Serve, and store, refresh and publish the first token set."""
        for server in (self.store, self.table, self.aws):
            self._cleanup.enter_context(server)
        self.table.create_table(TABLE, key="secret_arn")
        for service in (self.store, self.table):
            service.authorize = lambda call: "no" if call.operation in self.denied else None
        client_id, client_secret = self.provider.client()
        self.file = written(self.folder, {"clientId": client_id, "clientSecret": client_secret})
        self.environment = {
            **self.store.environment,
            **self.table.environment,
            "AWS_CONFIG_FILE": str(self.folder / "no-config"),
            "AWS_ENDPOINT_URL_LAMBDA": f"http://{self.aws.address}",
            "AWS_SHARED_CREDENTIALS_FILE": str(self.folder / "no-credentials"),
            "AUTHORIZATION_ENDPOINT": self.provider.authorization_endpoint,
            "COLUMNS": "500",
            "HOME": str(self.folder),
            "NO_COLOR": "1",
            "NO_PROXY": "127.0.0.1",
            "PATH": os.environ["PATH"],
            "PROVIDER": "upwork",
            "PUBLISHED_SECRET_ID": PUBLISHED,
            "TOKEN_ENDPOINT": self.provider.token_endpoint,
            "TOKEN_SECRET_ID": SECRET,
            **({"CLAIM_TABLE": TABLE} if self._in_table else {}),
            **({"REPLAY_GRACE_SECONDS": "0"} if self._single_use else {}),
        }
        self.client = self.store.client()
        self.client.create_secret(Name=SECRET)
        self.client.create_secret(Name=self.published)
        self.authorized()
        self._deploy()
        self.done("refresh --force --yes")
        self.pass_time(minutes=25)  # The claim has ended, and a young copy is left alone.
        return self

    def _deploy(self) -> None:
        """Take the worker's settings out of the shell: a function that a stack made has them."""
        if self._world == "shell":
            return
        ours = ("PROVIDER", "PUBLISHED_SECRET_ID", "TOKEN_ENDPOINT", "CLAIM_TABLE", "REPLAY_GRACE_SECONDS")
        variables = {name: self.environment.pop(name) for name in ours if name in self.environment}
        if self._world == "stack":
            self._made_by(WORKER, {**variables, "TOKEN_SECRET_ID": SECRET})
            made = {STACK_TAG: STACK, LOGICAL_ID_TAG: StackResource.TOKENS, "token-refresh:function": WORKER}
        else:
            self.table.create_table(FLEET, key="secret_arn")
            made_table = {STACK_TAG: FLEETS_STACK, LOGICAL_ID_TAG: StackResource.FLEET_TABLE}
            self.table.tags[FLEET] = made_table | {"token-refresh:published-under": "published/"}
            fleets = {"FLEET_NAME": FLEET, "CLAIM_TABLE": FLEET, "PUBLISHED_SECRET_ID": "published/{secret}"}
            self._made_by(FLEETS_WORKER, {**variables, **fleets})
            # As the fleet's first run on it would have left them.
            host = self.provider.token_endpoint.split("/")[2].split(":")[0]
            grace = 0 if self._single_use else 86_400
            origin = {"host": host, "grace_seconds": grace, "store": "table", "table": FLEET}
            self.edit(provider=variables["PROVIDER"], tokenRefresh=origin)
            made = {"token-refresh:fleet": FLEET}
            copy = {"Key": "token-refresh:copy-of", "Value": SECRET}
            self.client.tag_resource(SecretId=self.published, Tags=[copy])
        self.client.tag_resource(SecretId=SECRET, Tags=[{"Key": key, "Value": made[key]} for key in made])

    def _made_by(self, name: str, variables: Mapping[str, str]) -> None:
        stack = STACK if name == WORKER else FLEETS_STACK
        self.aws.function |= {"FunctionName": name, "Environment": {"Variables": dict(variables)}}
        self.aws.function_tags = {STACK_TAG: stack, LOGICAL_ID_TAG: StackResource.FUNCTION}

    def __exit__(self, *exception: object) -> None:
        """Stop."""
        self._cleanup.close()

    def authorized(self, **changes: Any) -> None:
        """Store the tokens of a new grant by hand, in the spelling of Upwork's own example."""
        tokens, (client_id, client_secret) = self.provider.authorize(), self.provider.client()
        expires_at = datetime.fromtimestamp(self.store.now(), tz=UTC) + timedelta(hours=20)
        self.put(
            {
                "accessToken": tokens["access_token"],
                "refreshToken": tokens["refresh_token"],
                "expiresAt": int(expires_at.timestamp() * 1000),
                "clientId": client_id,
                "clientSecret": client_secret,
                **changes,
            }
        )

    def put(self, value: object, name: str = SECRET) -> None:
        """Store any value, as a person at the console does."""
        text = value if isinstance(value, str) else json.dumps(value)
        self.client.put_secret_value(SecretId=name, SecretString=text)

    def edit(self, **changes: Any) -> None:
        """Edit the token document by hand."""
        self.put({**self.document, **changes})

    @property
    def document(self) -> dict[str, Any]:
        """Return the current token document."""
        found: dict[str, Any] = json.loads(self.client.get_secret_value(SecretId=SECRET)["SecretString"])
        return found

    def pass_time(self, **time: float) -> None:
        """Move the clocks of AWS."""
        for service in (self.store, self.table):
            service.clock_offset_seconds += timedelta(**time).total_seconds()

    def pass_until(self, moment: str) -> None:
        """Wait until the time that a command names, and a minute."""
        left = datetime.fromisoformat(f"{moment}+00:00").timestamp() - self.store.now()
        self.pass_time(seconds=max(0.0, left) + 60)

    def strike_at(self, write: int, strike: Callable[[], None]) -> None:
        """Strike when AWS has carried out this write, counted from now on, before its reply is sent; 0: never."""
        with self._lock:
            self._writes_left, self._strike = write, strike

    @property
    def was_struck(self) -> bool:
        """Whether there were so many writes."""
        return self._writes_left <= 0

    def _called(self, when: str, call: Call) -> None:
        if when == "after" and call.operation in WRITES:
            with self._lock:
                self._writes_left -= 1
                strikes = self._writes_left == 0
            if strikes:
                self._strike()

    def run(self, line: str, *, begun: Begun | None = None, variables: Mapping[str, str] | None = None) -> Ended:
        """Run a command of an operator's, who knows the function; questions are answered with yes."""
        words, stdin = shlex.split(line.removeprefix("token-refresh ")), "y\n"
        words = [self.aws.function["FunctionName"] if word == "NAME" else word for word in words]
        if words[0] == "aws":
            return self._run_aws(words)
        if words[0] == "authorize":
            words, stdin = [*words, "--paste", "--no-browser", "--yes", f"--client-file={self.file}"], ""
        elif words[0] == "client":
            words += [] if "--client-file" in line else [f"--client-file={self.file}"]
        ended = self._run(words, self.environment | dict(variables or {}), stdin, begun)
        for printed in printed_lines(ended):
            if not printed.startswith(("aws configure", "aws sts", "aws kms", _LIST)):
                assert re.search(r" \S*shop/\S+ .*--region \S", f"{printed} "), (
                    f"{printed} names no secret, or no region"
                )
        return ended

    def _run_aws(self, words: list[str]) -> Ended:
        """Do what a line for the AWS CLI does, which isn't installed here."""
        named = dict(zip(words[3::2], words[4::2], strict=True))
        assert REGION == named.pop("--region")
        if words[1:3] == ["kms", "enable-key"]:
            self.store.secrets.refuse(SECRET, "", None)
            return Ended(code=0, out="", err="")
        members = {name[2:].title().replace("-", ""): value for name, value in named.items()}
        if "SecretString" in members:
            assert "file:///dev/stdin" == members["SecretString"], "tokens would be left in a file, or in the history"
            members["SecretString"] = json.dumps(self.piped)
        getattr(self.client, words[2].replace("-", "_"))(**members)
        return Ended(code=0, out="", err="")

    def done(self, line: str) -> Ended:
        """Run a command that succeeds."""
        ended = self.run(line)
        assert 0 == ended.code, f"{line}: {ended.screen}"
        return ended

    def living(self) -> list[str]:
        """Return the versions of the secret whose refresh token the provider accepts."""
        listed = self.client.list_secret_version_ids(SecretId=SECRET, IncludeDeprecated=True)["Versions"]
        found = []
        for version in (entry["VersionId"] for entry in listed):
            value = self.client.get_secret_value(SecretId=SECRET, VersionId=version).get("SecretString", "")
            with contextlib.suppress(ValueError):
                fields = json.loads(value)
                token = isinstance(fields, dict) and (fields.get("refreshToken") or fields.get("refresh_token"))
                found += [version] if token and self.provider.accepts(token) else []
        return found

    def follow(self, ended: Ended, *, twice: bool = False, which: int = 0) -> Iterator[str]:
        """Do the first thing that a message prints, and give its name; `allow` where an administrator comes first.

        Where that says what to do instead, do so. With `twice` another operator does it, too. What comes after the
        first is for another cause, and may fail.
        """
        line = next(iter(repairs(ended)[which:]), None)
        if line is None and self._world != "shell":
            # They know the function where a message asks for its name.
            looks = [line for line in printed_lines(ended) if "--function NAME" in line]
            ended = self.run(looks[0]) if looks else ended
            line = next(iter(repairs(ended)), None)
        if line is None:
            return
        words = shlex.split(line)
        name, before = (words[1] if words[0] != "aws" else words[2]), len(self.provider.requests())
        assert name != "authorize" or which or self.consents or not self.living(), "a consent in vain"
        followed = self.run(line)
        for action in re.findall(r"secretsmanager:(\w+) .*was denied", followed.screen):
            assert len(self.provider.requests()) == before, "a grant was risked that nobody may store"
            self.denied.discard(action)
            yield "allow"
            followed = self.run(line)
        yield name
        instead = repairs(followed) if followed.code and not which and name == "restore" else []
        if instead:
            yield from self.follow(followed)
            return
        assert 0 == followed.code or which or _RISKY in line, f"{line}: {followed.screen}"
        if twice:
            self.run(line)

    def heal(self, *, twice: bool = False, most: int = 5, which: int = 0) -> list[str]:
        """Follow what `status` prints until it says healthy; where a run has to wait, wait as long as it says.

        The first message's repair of the number `which` is followed.
        """
        followed = list(self.follow(self.run("status"), which=which)) if which else []
        while (status := self.run("status")).code and len(followed) < most:
            waits = "Safest: wait" in status.screen
            done = (not waits and list(self.follow(status, twice=twice))) or ["wait"]
            followed += done
            if done == ["wait"]:
                said = r"(?:(?:wait|nothing|place) until|attempt is after) ([\d-]+ [\d:]+) UTC"
                until = re.search(said, status.screen)
                self.pass_until(until[1]) if until else self.pass_time(minutes=25)
                self.run("refresh")
        return followed

    def assert_well(self) -> None:
        """Check that all is well after the next run: both commands say so, and a service reads what the API accepts."""
        self.pass_time(minutes=10)  # A young copy is left alone.
        self.run("refresh")
        status, doctor = self.run("status"), self.run("doctor")
        assert (0, True) == (status.code, "HEALTHY" in status.out), status.screen
        assert (0, False) == (doctor.code, "FAILED" in doctor.out), doctor.screen
        assert self.document["accessToken"] == self.read(), "services read another token than the current one"
        assert self.published_follows, "no run published the current version"
        assert 200 == self.provider.api_status(self.read()), "the API rejects the token that services read"
        assert self.provider.accepts(self.document["refreshToken"]), "the grant is dead"

    @property
    def published_follows(self) -> bool:
        """Whether the published copy is of the current version."""
        current, published = (
            self.client.get_secret_value(SecretId=name)["VersionId"] for name in (SECRET, self.published)
        )
        return bool(published == published_version_id(current))

    def read(self) -> str:
        """Read the published token as a service does."""
        return TokenReader(self.published, client=self.client, background=False).get()


def printed_lines(ended: Ended) -> list[str]:
    """Return the commands that a message prints; each stands on a line for itself."""
    lines = [line.strip() for line in f"{ended.out}\n{ended.err}".splitlines()]
    return [line for line in lines if line.startswith(("token-refresh ", "aws "))]


def repairs(ended: Ended) -> list[str]:
    """Return those that change something, and are complete."""
    lines = [line for line in printed_lines(ended) if shlex.split(line)[1] not in _LOOKS and not line.startswith(_LIST)]
    return [line for line in lines if not {"NAME", "POINTER"} & {*shlex.split(line)}]
