"""STS of an account with outbound federation, which states who calls in JWTs signed with a real key; or it refuses.

See https://docs.aws.amazon.com/STS/latest/APIReference/API_GetWebIdentityToken.html.
"""

import time
import uuid
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from testbed.loopback import LoopbackHandler, LoopbackServer

ISSUER = "https://a1d2b0fd-1177-4468-9351-2f0000000723.tokens.sts.global.api.aws"
ROLE = "arn:aws:iam::123456789012:role/token-refresh-prod"
_ALLOWED_SECONDS = range(60, 3601)


class Sts(LoopbackServer):
    """Issues identity tokens for one role."""

    def __init__(self) -> None:
        super().__init__(_Handler)
        self.keys: dict[str, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey] = {
            "RS256": rsa.generate_private_key(public_exponent=65537, key_size=2048),
            "ES384": ec.generate_private_key(ec.SECP384R1()),
        }
        self.asked: list[dict[str, str]] = []
        self.code: str | None = None
        """The error code with which everything is refused."""

    @property
    def environment(self) -> dict[str, str]:
        """Return what leads a client here."""
        return {"AWS_ENDPOINT_URL_STS": f"http://{self.address}"}

    def token(self, asked: dict[str, str]) -> str:
        """State who calls, for the audience, as long as was asked."""
        seconds, now = int(asked["DurationSeconds"]), int(time.time())
        assert seconds in _ALLOWED_SECONDS
        claims = {
            "iss": ISSUER,
            "sub": ROLE,
            "aud": asked["Audience.member.1"],
            "iat": now,
            "exp": now + seconds,
            "jti": str(uuid.uuid4()),
            "https://sts.amazonaws.com/": {"aws_account": "123456789012", "principal_id": ROLE},
        }
        algorithm = asked["SigningAlgorithm"]
        return jwt.encode(claims, self.keys[algorithm], algorithm=algorithm, headers={"kid": algorithm})

    def verify(self, assertion: str, audience: str) -> dict[str, Any]:
        """Verify an assertion as a provider does that trusts the account's issuer; give its claims."""
        algorithm = jwt.get_unverified_header(assertion)["kid"]
        return jwt.decode(
            assertion,
            self.keys[algorithm].public_key(),
            algorithms=list(self.keys),
            audience=audience,
            issuer=ISSUER,
            options={"require": ["exp", "iat", "sub", "jti"]},
        )


class _Handler(LoopbackHandler):
    server: Sts

    def do_POST(self) -> None:  # noqa: N802 - named by http.server
        asked = {name: values[0] for name, values in parse_qs(self.read_body().decode()).items()}
        self.server.asked.append(asked)
        code = self.server.code if asked["Action"] == "GetWebIdentityToken" else "AccessDenied"
        if code:
            error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>canary</Message></Error>"
            self.respond(403, f"<ErrorResponse>{error}</ErrorResponse>".encode(), {"Connection": "close"})
            return
        until = datetime.fromtimestamp(time.time() + int(asked["DurationSeconds"]), tz=UTC).isoformat()
        result = f"<WebIdentityToken>{self.server.token(asked)}</WebIdentityToken><Expiration>{until}</Expiration>"
        body = (
            '<GetWebIdentityTokenResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
            f"<GetWebIdentityTokenResult>{result}</GetWebIdentityTokenResult></GetWebIdentityTokenResponse>"
        )
        self.respond(200, body.encode(), {"Connection": "close"})
