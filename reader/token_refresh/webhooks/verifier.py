"""Verifies deliveries with a secret that is cached, rotated, and read again when a signature doesn't fit."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from token_refresh.errors import ConfigurationError, InvalidSecretDocument, TokenRefreshError, detached
from token_refresh.reader import Runtime, Secret
from token_refresh.webhooks.delivery import Delivery, VerifiedWith
from token_refresh.webhooks.errors import WebhookNotVerified
from token_refresh.webhooks.headers import GivenHeaders, Headers
from token_refresh.webhooks.scheme import Scheme, SignatureClaim

if TYPE_CHECKING:
    from token_refresh.reader import SecretReader

DEFAULT_TOLERANCE = timedelta(minutes=5)


class Verifier:
    """Verifies one provider's deliveries; make one for each endpoint, at module level."""

    def __init__(
        self,
        scheme: Scheme,
        secret: "SecretReader",
        *,
        tolerance: timedelta = DEFAULT_TOLERANCE,
        runtime: Runtime | None = None,
    ) -> None:
        """Remember what to verify with; nothing is read before the first request.

        Args:
            scheme: One of `SENDERS`, or your own.
            secret: A `SecretReader` of the endpoint's signing secret.
            tolerance: How far the signed time may be from ours, either way.
            runtime: Whose `clock` says what time it is, for tests.

        Raises:
            ConfigurationError: Something else was given as scheme or secret.
            ValueError: The tolerance is not positive.
        """
        problem = _misuse(scheme, secret)
        if problem is not None:
            del secret  # Perhaps the signing secret itself, and error reporters show this frame.
            raise problem
        # Stripe's libraries switch the check off with 0; here that is an error.
        if tolerance <= timedelta():
            raise ValueError("tolerance must be a positive timedelta: without it any old delivery can be replayed")
        self.scheme = scheme
        self._secret = secret
        self._tolerance = tolerance
        self._clock = (runtime or Runtime()).clock

    def verify(self, headers: GivenHeaders, body: bytes) -> Delivery:
        """Verify one request, and return it as a delivery.

        Args:
            headers: All of its headers, in any case: a mapping, or pairs.
            body: Its body, byte for byte as it came.

        Raises:
            WebhookMalformed: It can't be a delivery; nothing was read.
            WebhookNotVerified: Its time or signature doesn't hold, and the newest secret was looked at.
            TokenRefreshError: The secret can't be read, or isn't one.
        """
        problem: Exception
        try:
            return self._verify(headers, body)
        except Exception as error:  # noqa: BLE001 - raised below, away from frames that hold body and secret
            problem = detached(error)
        del headers, body
        raise problem

    async def averify(self, headers: GivenHeaders, body: bytes) -> Delivery:
        """Do what `verify` does, without blocking the event loop."""
        problem: Exception
        try:
            return await self._averify(headers, body)
        except Exception as error:  # noqa: BLE001 - as in `verify`
            problem = detached(error)
        del headers, body
        raise problem

    def _verify(self, given: GivenHeaders, body: bytes) -> Delivery:
        headers = Headers.of(given)
        signed = self._read(headers, body)
        secrets = self._secret.accepted()
        found = self._match(signed, secrets)
        if isinstance(found, TokenRefreshError):
            self._secret.reject(secrets[0])
            # Compared whole: the read may have found a previous version that could not be read before.
            if (newest := self._secret.accepted()) != secrets:
                found = self._match(signed, secrets := newest)
        return self._finish(headers, body, signed, found, secrets[0].created_at)

    async def _averify(self, given: GivenHeaders, body: bytes) -> Delivery:
        headers = Headers.of(given)
        signed = self._read(headers, body)
        secrets = await self._secret.aaccepted()
        found = self._match(signed, secrets)
        if isinstance(found, TokenRefreshError):
            await self._secret.areject(secrets[0])
            if (newest := await self._secret.aaccepted()) != secrets:  # as in `_verify`
                found = self._match(signed, secrets := newest)
        return self._finish(headers, body, signed, found, secrets[0].created_at)

    def _read(self, headers: Headers, body: bytes) -> SignatureClaim:
        """Do all that needs no secret."""
        if (kind := type(body).__name__) != "bytes":
            raise ConfigurationError(
                f"verify() needs the body as bytes, byte for byte as it came, and got {kind}: "
                "a body that was decoded or parsed and written again has another signature"
            )
        signed = self.scheme.read(headers, body)
        # Before the secret is read: an old delivery, replayed, must not cost a read.
        signed.check_time(now=self._clock(), tolerance=self._tolerance)
        return signed

    def _match(self, signed: SignatureClaim, secrets: Sequence[Secret]) -> Secret | TokenRefreshError:
        """Find the secret that signed; otherwise say why there is none."""
        usable, keys, refusal = [], [], None
        for secret in secrets:
            try:
                keys.append(self.scheme.key(secret.text()))
                usable.append(secret)
            # While the new secret has the wrong form, the previous one still verifies.
            except InvalidSecretDocument as error:
                refusal = error
            except ValueError as error:
                refusal = self._wrong_form(secret, secrets, error)
        index = signed.first_fitting(keys)
        return (refusal or self._nothing_fits(secrets)) if index is None else usable[index]

    def _finish(
        self,
        headers: Headers,
        body: bytes,
        signed: SignatureClaim,
        found: Secret | TokenRefreshError,
        current_since: datetime,
    ) -> Delivery:
        if isinstance(found, TokenRefreshError):
            raise found
        # Only now: what an unverified body says is never parsed.
        about = self.scheme.about(headers, body)
        return Delivery(
            source=self.scheme.name,
            key=about.key,
            id=about.id,
            type=about.type,
            signed_at=None if signed.at_seconds is None else datetime.fromtimestamp(signed.at_seconds, UTC),
            received_at=datetime.fromtimestamp(self._clock(), UTC),
            current_since=current_since,
            verified_with=VerifiedWith(found.version_id, found.stage),
            body=body,
            handshake=about.handshake,
        )

    def _wrong_form(self, secret: Secret, secrets: Sequence[Secret], why: ValueError) -> InvalidSecretDocument:
        from token_refresh.webhooks.remedy import how_to_correct, look_up  # noqa: PLC0415 - up to 4 ms, if one fails

        return InvalidSecretDocument(
            f"{look_up(secret.secret_id).place}, version {secret.version_id!r}: the stored signing secret {why}",
            fix=(f"Store it as {self.scheme.name} shows it: ", *how_to_correct(secrets)),
        )

    def _nothing_fits(self, secrets: Sequence[Secret]) -> WebhookNotVerified:
        from token_refresh.webhooks.remedy import how_to_correct, look_up  # noqa: PLC0415 - up to 4 ms, if one fails

        versions = ", ".join(repr(secret.version_id) for secret in secrets)  # the caller that stores one chooses its ID
        # The console of Secrets Manager stores pairs, unless one chooses plain text.
        is_object = secrets[0].text().startswith("{")
        hint = "it is a JSON object: give its name with #key, or store plain text" if is_object else self.scheme.hint
        return WebhookNotVerified(
            f"no signature fits {look_up(secrets[0].secret_id).place} (versions {versions}): the request is forged, "
            f"or the secret of another endpoint is stored ({hint})",
            fix=("Then store the right one: ", *how_to_correct(secrets)),
        )


def _misuse(scheme: object, secret: object) -> ConfigurationError | None:
    """Say what was given in place of a scheme or a reader; nothing of it is quoted: it may be the secret."""
    if not isinstance(scheme, Scheme):
        what, got = "a sender, such as STRIPE, as its first argument", scheme
    elif not hasattr(secret, "accepted"):
        what, got = "a SecretReader as its second argument", secret
    else:
        return None
    return ConfigurationError(
        f"Verifier needs {what}, and got {type(got).__name__}",
        why="the signing secret stays out of the code, and may be rotated",
        fix='Write Verifier(STRIPE, SecretReader("my-app/prod/stripe")), and on a laptop SecretReader("env:NAME")',
    )
