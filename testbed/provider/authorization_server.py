"""A real authorization server on loopback, set up like Upwork: django-oauth-toolkit, which nobody here wrote.

    with AuthorizationServer() as server:
        tokens = server.authorize()      # the code flow with PKCE, as a browser goes through it
        ...                              # refresh at server.token_endpoint
        server.revoke()                  # its owner ends the grant
        server.requests()                # what the token endpoint was asked, in order

`python -m testbed.provider.authorization_server` runs one by itself: it prints its addresses as one line of JSON and
lives until its standard input ends. The consent page is for a browser, at `authorization_endpoint`; nobody has to log
in.
"""

import base64
import hashlib
import secrets
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import parse_qs, urlsplit

from testbed.process import Child

if TYPE_CHECKING:
    import httpx


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedRequest:
    """One request at the token endpoint, without any value of it."""

    grant_type: str
    status: int
    error: str | None
    """The error code of RFC 6749 section 5.2."""
    resource: str | None = None
    """The API that the token is for (RFC 8707)."""


class AuthorizationServer(Child):
    """The server in a process of its own, for as long as the `with` block lasts."""

    def __init__(
        self,
        *,
        access_token_seconds: int = 86_400,
        grace_seconds: int = 86_400,
        rotates: bool = True,
        redirect_uris: tuple[str, ...] = (),
    ) -> None:
        """Describe the server.

        Args:
            access_token_seconds: How long an access token lives.
            grace_seconds: How long a refresh token is still good once it was redeemed. 0 makes it single use: using it
                again revokes the grant.
            rotates: Whether a refresh returns a new refresh token.
            redirect_uris: Registered beside `http://127.0.0.1/callback`, which stands for every port (RFC 8252).
        """
        super().__init__(
            "testbed.provider.authorization_server",
            f"--access-token-seconds={access_token_seconds}",
            f"--grace-seconds={grace_seconds}",
            *(() if rotates else ("--keeps-refresh-token",)),
            *(f"--redirect-uri={uri}" for uri in redirect_uris),
        )

    @property
    def issuer(self) -> str:
        """Where its metadata is found (RFC 8414), and that of the API (RFC 9728)."""
        return str(self.announced["issuer"])

    @property
    def authorization_endpoint(self) -> str:
        """Where a browser asks for consent."""
        return str(self.announced["authorization_endpoint"])

    @property
    def token_endpoint(self) -> str:
        """Where codes and refresh tokens are exchanged."""
        return str(self.announced["token_endpoint"])

    @property
    def api(self) -> str:
        """What only a live access token can GET."""
        return str(self.announced["api"])

    @property
    def control(self) -> str:
        """Where its owner acts on it: `POST /revoke` ends every grant."""
        return str(self.announced["control"])

    def client(self) -> tuple[str, str]:
        """Return identifier and secret of the registered confidential client."""
        client = self._control("client")
        return client["client_id"], client["client_secret"]

    def authorize(self) -> dict[str, Any]:
        """Go through the authorization code flow with PKCE (RFC 7636), and return the token response."""
        import httpx  # noqa: PLC0415 - a tenth of a second that only this needs

        client_id, client_secret = self.client()
        verifier, redirect_uri = secrets.token_urlsafe(48), "http://127.0.0.1/callback"
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {"response_type": "code", "client_id": client_id, "redirect_uri": redirect_uri, "scope": "read"}
        consent = asked | {"code_challenge": challenge, "code_challenge_method": "S256", "allow": "Authorize"}
        with httpx.Client(trust_env=False, timeout=60) as browser:
            location = browser.post(self.authorization_endpoint, data=consent).headers["Location"]
            exchanged = {
                "grant_type": "authorization_code",
                "code": parse_qs(urlsplit(location).query)["code"][0],
                "redirect_uri": redirect_uri,
                "code_verifier": verifier,
                "client_id": client_id,
                "client_secret": client_secret,
            }
            response: dict[str, Any] = browser.post(self.token_endpoint, data=exchanged).raise_for_status().json()
        return response

    def revoke(self, refresh_token: str | None = None) -> None:
        """End the grant of a refresh token, or every grant, as its owner can in the provider's settings."""
        self._control("revoke", method="POST", data={"refresh_token": refresh_token} if refresh_token else None)

    def choose(self, company: str) -> None:
        """Let the user choose a company on the page from now on, or none: redirects name it as `realmId`."""
        self._control("choose", method="POST", data={"company": company})

    def requests(self) -> list[AcceptedRequest]:
        """Return what the token endpoint was asked, in order."""
        return [AcceptedRequest(**request) for request in self._control("requests")]

    def accepts(self, refresh_token: str | None = None) -> bool:
        """Tell whether a grant lives that `refresh_token` was the last to be issued under; without one: any grant."""
        asked = {"refresh_token": refresh_token} if refresh_token else None
        accepted: bool = self._control("accepts", method="POST", data=asked)["accepted"]
        return accepted

    def let_pass(self, seconds: int) -> None:
        """Let so much time pass: tokens expire, and the grace of used ones ends."""
        self._control("pass", method="POST", data={"seconds": str(seconds)})

    def fail_next(self, when: Literal["before", "after", "wrap"]) -> None:
        """Let a gateway respond with 503 to the next token request, before or after the endpoint has redeemed.

        Or let it `wrap` what the endpoint responds: `{"data": ...}`.
        """
        self._control("gateway", method="POST", data={"when": when})

    def api_status(self, access_token: str) -> int:
        """Call the API with an access token, and return the status of its response."""
        import httpx  # noqa: PLC0415 - as above

        headers = {"Authorization": f"Bearer {access_token}"}
        return httpx.get(self.api, headers=headers, trust_env=False, timeout=60).status_code

    def close(self) -> None:
        """End the server, and the connection of its owner."""
        if "_owner" in vars(self):
            self._owner.close()
        super().close()

    def _control(self, what: str, *, method: str = "GET", data: dict[str, str] | None = None) -> Any:
        return self._owner.request(method, f"{self.control}/{what}", data=data).raise_for_status().json()

    @cached_property
    def _owner(self) -> "httpx.Client":
        """What its owner acts with: making a client takes longer than a request."""
        import httpx  # noqa: PLC0415 - as above

        return httpx.Client(trust_env=False, timeout=60)


if __name__ == "__main__":
    from testbed.provider.authorization_site import main

    main()
