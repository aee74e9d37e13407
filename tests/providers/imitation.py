"""A provider that respx plays: its request and responses as documented, and its way with refresh tokens."""

import base64
import copy
import json
import threading
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import parse_qsl

import httpcore
import httpx
import respx

from token_refresh_worker.oauth.formats import Expiry, Grant
from token_refresh_worker.providers.loader import load_provider
from token_refresh_worker.providers.provider import Rotation

FIXTURES = Path(__file__).parent / "fixtures"
CLIENT_ID, CLIENT_SECRET = "client-1", "client-secret-1"

Script = Literal["busy", "lost", "listed_as_busy"]


def fixture(name: str, kind: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FIXTURES / f"{name}.{kind}.json").read_text())
    needs_request = kind == "success" and "request" not in found
    assert not needs_request, f"{name}.success.json needs `request`: the request as documented (docs/providers.md)"
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """What the provider issued at the consent."""

    access: str
    refresh: str | None


class Imitation:
    """Responds as the fixtures of one provider say; accepts only the request that it documents, and no other host's."""

    def __init__(self, name: str) -> None:
        self.url = "http://127.0.0.1/token"  # where every profile may send; respx plays it, so nothing listens
        self.provider = load_provider(name)
        self._router = respx.MockRouter(using="httpcore", assert_all_called=False)
        self._router.route(url__startswith=self.url).mock(side_effect=self._handle)
        self.success, self.dead = fixture(name, "success"), fixture(name, "dead")
        self.alive = True
        self.faults: list[str] = []
        """How requests differed from the documented one."""
        self.statuses: list[int | None] = []
        self.received: list[dict[str, str]] = []
        self.checks_client = False
        """Whether a wrong client secret is `invalid_client`, and not a fault of the request."""
        self.redemptions = 0
        self._scripts: deque[Script] = deque()
        self._lock = threading.Lock()
        self._accepted: set[str] = set()
        self._issued: list[str] = []
        self._current = ""
        self.first = self._issue_first()

    def __enter__(self) -> Self:
        self._router.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._router.stop(clear=False)

    @property
    def secrets(self) -> list[str]:
        """Every token that was issued, and the client's secret: what must appear nowhere."""
        return [*self._issued, CLIENT_SECRET]

    @property
    def newest_refresh_token(self) -> str | None:
        """What the secret must hold after a refresh; None for a grant without refresh tokens."""
        return self._current if self.provider.request.grant is Grant.REFRESH_TOKEN else None

    @property
    def newest_access_token(self) -> str:
        return next(token for token in reversed(self._issued) if token.startswith("access"))

    def play(self, *scripts: Script) -> None:
        self._scripts.extend(scripts)

    def _issue_first(self) -> Tokens:
        grant = self.provider.request.grant
        access, self._current = self._new("access"), self._new("refresh")
        self._accepted = {access if grant is Grant.EXCHANGE else self._current}
        return Tokens(access=access, refresh=self._current if grant is Grant.REFRESH_TOKEN else None)

    def _new(self, kind: str) -> str:
        self._issued.append(f"{kind}-token-{len(self._issued)}-of-{self.provider.name}")
        return self._issued[-1]

    def _handle(self, request: httpx.Request) -> httpx.Response:
        asked = self.success["request"]
        try:
            fields = _fields(request, asked["encoding"])
        except ValueError:
            fields = {}
        return self._respond(fields, _fault(request, asked, fields))

    def _respond(self, fields: dict[str, str], fault: str | None) -> httpx.Response:
        """Decide on one request; a response that is lost is a connection that breaks."""
        with self._lock:
            script = self._scripts.popleft() if self._scripts else None
            self.received.append(fields)
            refusal = self._refusal(fault, script)
            if refusal is not None:
                return self._sent(*refusal)
            redeemed = self._redeemed(fields)
            if not self.alive or (redeemed is not None and redeemed not in self._accepted):
                return self._sent(self.dead["status"], self._quoting(self.dead["body"], redeemed or ""))
            body = self._tokens(redeemed, of_a_code=fields.get("grant_type") == "authorization_code")
            if script == "lost":
                self.statuses.append(None)
                raise httpcore.ReadError
            return self._sent(self.success["status"], body)

    def _refusal(self, fault: str | None, script: Script | None) -> tuple[int, dict[str, Any]] | None:
        """Refuse what is not the documented request, or what the test wants refused."""
        if fault == "client" and self.checks_client:
            return 401, {"error": "invalid_client"}
        if fault is not None:
            self.faults.append(fault)
            return 400, {"error": "unsupported_grant_type"}
        if script == "busy":
            return 429, {}
        return (400, self._listed_as_busy()) if script == "listed_as_busy" else None

    def _listed_as_busy(self) -> dict[str, Any]:
        """Build the body of the profile's first matcher for a busy provider."""
        body: dict[str, Any] = {}
        for path, value in self.provider.response.busy[0].fields.items():
            *parents, last = path.split(".")
            at = body
            for parent in parents:
                at = at.setdefault(parent, {})
            at[last] = value
        return body

    def _sent(self, status: int, body: dict[str, Any]) -> httpx.Response:
        self.statuses.append(status)
        return httpx.Response(status, json=body)

    def _redeemed(self, fields: dict[str, str]) -> str | None:
        if fields.get("grant_type") == "authorization_code":
            return None
        request = self.provider.request
        name = {Grant.REFRESH_TOKEN: "refresh_token", Grant.EXCHANGE: "access_token"}.get(request.grant)
        return None if name is None else fields[request.names.get(name, name)]

    def _quoting(self, body: dict[str, Any], token: str) -> dict[str, Any]:
        """Some providers quote the refresh token in the error."""
        quoted: dict[str, Any] = json.loads(json.dumps(body).replace("{refresh_token}", token))
        return quoted

    def _tokens(self, redeemed: str | None, *, of_a_code: bool) -> dict[str, Any]:
        """Issue new tokens in place of those in the fixture."""
        provider = self.provider
        body: dict[str, Any] = copy.deepcopy(self.success["body"])
        if of_a_code:
            body |= self.success.get("code_body", {})
        form = provider.response
        tokens = body
        for step in form.envelope:
            tokens = tokens[step]
        named = {name: form.names.get(name, name) for name in ("access_token", "refresh_token", "expires_in")}
        self.redemptions += 1
        tokens[named["access_token"]] = self._new("access")
        if named["refresh_token"] in tokens:
            if provider.rotation is not Rotation.NEVER:
                self._current = self._new("refresh")
                self._accepted.add(self._current)
            tokens[named["refresh_token"]] = self._current
            if provider.rotation is not Rotation.NEVER and not provider.grace.duration and redeemed:
                self._accepted.discard(redeemed)
        if provider.request.grant is Grant.EXCHANGE:
            self._accepted.add(tokens[named["access_token"]])
        lifetime = provider.access_token_lifetime or timedelta(hours=1)
        if form.expiry is Expiry.ISO:
            tokens[named["expires_in"]] = (datetime.now(UTC) + lifetime).isoformat().replace("+00:00", "Z")
        return body


def _fields(request: httpx.Request, encoding: str) -> dict[str, str]:
    if encoding == "json":
        return dict(json.loads(request.content))
    sent = request.url.query if encoding == "query" else request.content
    return dict(parse_qsl(sent.decode(), strict_parsing=True))


def _fault(request: httpx.Request, asked: dict[str, Any], fields: dict[str, str]) -> str | None:
    """Say how a request differs from the documented one; never with a value of it."""
    of_a_code = fields.get("grant_type") == "authorization_code"
    documented = asked.get("code_fields", []) if of_a_code else asked["fields"]
    wanted = {name: value for name, _, value in (field.partition("=") for field in documented)}
    types = {"form": "application/x-www-form-urlencoded", "json": "application/json", "query": None}
    headers = {name: request.headers.get(name) for name in asked.get("headers", {})}
    missing, unknown = sorted(wanted.keys() - fields.keys()), sorted(fields.keys() - wanted.keys())
    named = f"fields (missing: {', '.join(missing) or 'none'}; not documented: {', '.join(unknown) or 'none'})"
    checks = {
        "method": request.method == asked["method"],
        "content type": request.headers.get("Content-Type") == types[asked["encoding"]],
        "body": asked["encoding"] != "query" or not request.content,
        named: not missing and not unknown,
        "values": all(fields.get(name) == value for name, value in wanted.items() if value),
        "client": _client(fields, wanted),
        "authorization": _authorization(request) == _expected(asked["authorization"]),
        "headers": headers == asked.get("headers", {}),
    }
    return ", ".join(name for name, fits in checks.items() if not fits) or None


def _client(fields: dict[str, str], wanted: dict[str, str]) -> bool:
    expected = {"client_id": CLIENT_ID, "client_key": CLIENT_ID, "client_secret": CLIENT_SECRET}
    return all(fields.get(name) == value for name, value in expected.items() if name in wanted)


def _authorization(request: httpx.Request) -> str | None:
    header = request.headers.get("Authorization")
    return None if header is None else base64.b64decode(header.removeprefix("Basic ")).decode()


def _expected(authorization: str | None) -> str | None:
    if authorization is None:
        return None
    return authorization.replace("id", CLIENT_ID).replace("secret", CLIENT_SECRET)
