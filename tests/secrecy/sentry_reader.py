"""Has the real sentry-sdk report whatever a reader can raise, and trace what it does.

Prints one JSON object: {scenario: {"raised": type, "events": [...]}}. A process of its own, because the
integrations patch threads, logging and HTTP clients for good.
"""

import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from functools import partial
from typing import Any
from unittest import mock

import httpx
import httpx2
import requests
import sentry_sdk

from secrecy import sentry
from testbed.parameter_store import ParameterStoreServer
from testbed.reader_surroundings import Api, Store, WallClock, runtime
from testbed.secrets_manager.server import SecretsManagerServer
from token_refresh.reader import SecretGroup, SecretReader, TokenReader, httpx2_auth, httpx_auth, requests_auth, secrets

CANARY = sys.stdin.read()  # not an argument: those are reported
EVENTS: list[Any] = []
NOWHERE = "http://127.0.0.1:1/"
HTTPX2 = (httpx2, httpx2_auth)

Scenario = Callable[[], object]
Change = Callable[[dict[str, Any]], object]

MALFORMED: dict[str, Change] = {
    "no time": lambda response: response.pop("CreatedDate"),
    "no version": lambda response: response.pop("VersionId"),
    "no value": lambda response: response.pop("SecretString"),
    "time of another type": lambda response: response.update(CreatedDate=CANARY),
    "version of another type": lambda response: response.update(VersionId=[CANARY]),
    "value of another type": lambda response: response.update(SecretString=[CANARY]),
}
MALFORMED_BATCHES: dict[str, Change] = {
    "no values": lambda response: response.pop("SecretValues"),
    "values of another type": lambda response: response.update(SecretValues=[CANARY]),
    "value without a name": lambda response: response["SecretValues"][0].pop("Name"),
    "value without a time": lambda response: response["SecretValues"][0].pop("CreatedDate"),
    "errors of another type": lambda response: response.update(Errors=[CANARY]),
    "an error about another secret": lambda response: response.update(
        Errors=[{"SecretId": CANARY, "ErrorCode": f"{CANARY} {CANARY}", "Message": CANARY}]
    ),
}
MALFORMED_PARAMETERS: dict[str, Change] = {
    "no parameters": lambda response: response.pop("Parameters"),
    "no time": lambda response: response["Parameters"][0].pop("LastModifiedDate"),
    "version of another type": lambda response: response["Parameters"][0].update(Version=CANARY),
    "value of another type": lambda response: response["Parameters"][0].update(Value=[CANARY]),
    "parameter of another type": lambda response: response.update(Parameters=[CANARY]),
}
DOCUMENTS = {
    "not JSON": CANARY,
    "bad expiry": json.dumps({"accessToken": CANARY, "refreshToken": CANARY, "expiresAt": CANARY}),
    "expired": json.dumps({"accessToken": CANARY, "refreshToken": CANARY, "expiresAt": 1_700_000_000_000}),
}


@contextmanager
def responding(client: Any, operation: str, change: Change) -> Iterator[None]:
    """Change what the client makes of each response."""

    def changed(parsed: dict[str, Any], **_: object) -> None:
        change(parsed)

    event = f"after-call.{client.meta.service_model.service_id.hyphenize()}.{operation}"
    client.meta.events.register(event, changed)
    try:
        yield
    finally:
        client.meta.events.unregister(event, changed)


class Scenarios:
    """Everything that is reported, by name."""

    def __init__(self, store: Store, parameters: ParameterStoreServer, api: Api, clock: WallClock) -> None:
        self.store, self.parameters, self.api, self.clock = store, parameters, api, clock

    def tokens(self, secret_id: str = "tokens", **options: Any) -> TokenReader:  # noqa: S107 - a name
        options = {"background": False, **options}
        return TokenReader(secret_id, client=self.store.client, runtime=runtime(self.clock), **options)

    def all(self) -> dict[str, Scenario]:
        found: dict[str, Scenario] = {"control": self.control, "control in a thread": self.control_in_a_thread}
        for name, change in MALFORMED.items():
            found[f"token, {name}"] = partial(self.malformed, change, lambda: self.tokens().get())
            found[f"secret, {name}"] = partial(self.malformed, change, lambda: self.secret().text())
            found[f"in the background, {name}"] = partial(self.in_the_background, change)
        for name, change in MALFORMED_BATCHES.items():
            found[f"batch, {name}"] = partial(self.batch, change)
        for name, change in MALFORMED_PARAMETERS.items():
            found[f"parameter, {name}"] = partial(self.parameter, change)
        for name, text in DOCUMENTS.items():
            found[f"document, {name}"] = partial(self.document, name.replace(" ", "-"), text)
        return found | {
            "defect": self.defect,
            "field": self.field,
            "httpx, no token": lambda: self.through_httpx("nowhere"),
            "httpx, no second token": lambda: self.through_httpx("tokens"),
            "httpx, no connection": lambda: self.through_httpx("tokens", NOWHERE),
            "httpx2, no token": lambda: self.through_httpx("nowhere", library=HTTPX2),
            "httpx2, no second token": lambda: self.through_httpx("tokens", library=HTTPX2),
            "httpx2, no connection": lambda: self.through_httpx("tokens", NOWHERE, library=HTTPX2),
            "requests, no token": lambda: self.through_requests("nowhere"),
            "requests, no second token": lambda: self.through_requests("tokens"),
            "requests, no connection": lambda: self.through_requests("tokens", NOWHERE),
        }

    def control(self) -> None:
        local = CANARY
        raise RuntimeError(f"a frame with {len(local)} characters in a local variable")

    def control_in_a_thread(self) -> None:
        thread = threading.Thread(target=self.control)
        thread.start()
        thread.join()

    def secret(self) -> SecretReader:
        return SecretReader("key", client=self.store.client, runtime=runtime(self.clock), overlap=timedelta(hours=1))

    def malformed(self, change: Change, work: Scenario) -> object:
        with responding(self.store.client, "GetSecretValue", change):
            return work()

    def in_the_background(self, change: Change) -> None:
        started: list[threading.Thread] = []

        def spawn(work: Callable[[], None]) -> None:
            started.append(threading.Thread(target=work))
            started[-1].start()

        reader = TokenReader("tokens", client=self.store.client, background=True, runtime=runtime(self.clock, spawn))
        reader.get()
        began_at = self.clock.now
        self.clock.advance(3000)
        with responding(self.store.client, "GetSecretValue", change):
            reader.get()
            for thread in started:
                thread.join()
        self.clock.now = began_at
        sentry_sdk.capture_message(f"{len(started)} background read", level="error")

    def batch(self, change: Change) -> object:
        with responding(self.store.client, "BatchGetSecretValue", change):
            return SecretGroup("key", "other", client=self.store.client)["key"]

    def parameter(self, change: Change) -> object:
        client = self.parameters.client()
        with responding(client, "GetParameters", change):
            return SecretReader("ssm:/key", client=client).text()

    def document(self, name: str, text: str) -> object:
        self.store.put_text(text, secret_id=name)
        return self.tokens(name).get()

    def defect(self) -> object:
        def broken(*_: object) -> None:
            local = CANARY
            raise TypeError(local)

        with mock.patch.object(secrets, "secrets_of", broken):
            return self.secret().text()

    def field(self) -> object:
        return SecretReader("key", client=self.store.client, field="missing").text()

    def through_httpx(self, secret_id: str, url: str | None = None, library: Any = (httpx, httpx_auth)) -> object:
        reader, (client_library, auth) = self.tokens(secret_id), library
        with self.expiring(reader), client_library.Client(auth=auth.TokenAuth(reader)) as client:
            return client.get(url or self.api.url)

    def through_requests(self, secret_id: str, url: str | None = None) -> object:
        reader = self.tokens(secret_id)
        with self.expiring(reader), requests.Session() as session:
            session.auth = requests_auth.TokenAuth(reader)
            return session.get(url or self.api.url, timeout=60)

    def expiring(self, reader: TokenReader) -> AbstractContextManager[object]:
        """Have the token rejected, and its successor expire before the hook asks for it."""

        def reject(_token: object) -> bool:
            self.clock.advance(4000)
            return True

        return mock.patch.object(reader, "reject", reject)


def main() -> None:
    """Report all scenarios."""
    sentry.watch(EVENTS.append, module="__main__")
    clock = WallClock()
    reports = {}
    with SecretsManagerServer(clock=clock) as server, ParameterStoreServer(clock=clock) as parameters, Api() as api:
        store = Store(server, clock)
        store.put(CANARY)
        for name in ("key", "other"):
            store.put_text(json.dumps({"other": CANARY}), secret_id=name)
        parameters.put("/key", CANARY)
        for name, scenario in Scenarios(store, parameters, api, clock).all().items():
            raised, now = None, clock.now
            with sentry_sdk.start_transaction(name=name, op="function"):
                try:
                    scenario()
                except Exception as error:  # noqa: BLE001 - what is raised is what is reported
                    raised = type(error).__name__
                    sentry_sdk.capture_exception(error)
            clock.now = now
            reports[name] = {"raised": raised, "events": EVENTS.copy()}
            EVENTS.clear()
    sys.stdout.write(json.dumps(reports))


if __name__ == "__main__":
    main()
