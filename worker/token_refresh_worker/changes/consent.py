"""A consent, from the redirect that it brings to the tokens that are stored: what `authorize` and `Grants` share."""

from collections.abc import Callable, Mapping
from datetime import datetime

from token_refresh.advice import Advice
from token_refresh.records import record
from token_refresh.secret_value import SecretValue
from token_refresh_worker.changes.authorization import AuthorizationRequest, Redirect
from token_refresh_worker.changes.change import ChangeFailed
from token_refresh_worker.changes.store import NewGrant, StoredGrant, exchange
from token_refresh_worker.run.parts import Parts
from token_refresh_worker.stored.credentials import ClientCredentials

Account = Mapping[str, str | int]
"""Whose grant it is, by the names that the provider's profile lists as `identity`; see `Provider.account`."""


class AnotherAccount(ChangeFailed):
    """The provider authorized another account than the expected one. Nothing is stored, and nothing is revoked."""


@record
class Consent:
    """What becomes of the redirect of one authorization."""

    authorization: AuthorizationRequest
    client: ClientCredentials
    keeps_client: bool = False
    """Whether the client credentials are stored beside the tokens."""
    known: Mapping[str, object]
    """What was stored before it."""
    change: Callable[[Mapping[str, object]], dict[str, object]]
    """Adds the provider's keys to what is stored."""
    create: Callable[[SecretValue], str] | None = None
    """Creates the secret, where it is missing."""
    judge: Callable[[Account, bool], None] = lambda _account, _is_complete: None
    """Raises if the account is not the right one: asked with what the redirect says, before the code is used, and
    with `True` once the response has said the rest, before anything is stored."""

    def fields(self, redirect: Redirect) -> dict[str, object]:
        """Return what was stored, with what the redirect brought: it may have chosen who exchanges the code."""
        return redirect.put_into(self.change(self.known))

    def complete(self, parts: Parts, redirect: Redirect, *, sent_at: datetime) -> StoredGrant:
        """Exchange the code, and store the tokens on what is there by then.

        Args:
            parts: The secret, and the provider that `fields` says.
            redirect: What the redirect brought.
            sent_at: The time by the service's clock, before the exchange: so that the stored expiry is never too late.

        Raises:
            TokenRefreshError: `judge` refused the account, no tokens came, or they could not be stored.
        """
        fields, provider = self.fields(redirect), parts.provider
        ours = {name: value for name, value in fields.items() if name not in provider.response.kept}
        self.judge(provider.account(ours), False)
        grant = NewGrant(
            tokens=exchange(parts, self.authorization, redirect.code, self.client),
            sent_at=sent_at,
            asked_scope=self.authorization.scope,
            client=self.client if self.keeps_client else None,
        )
        self.judge(provider.account(grant.document(parts, fields).fields), True)
        return grant.store(parts, self.known, lambda it: redirect.put_into(self.change(it)), self.create)


def check_account(expected: Account, found: Account, *, is_complete: bool, again: Advice) -> None:
    """Refuse another account than the expected one.

    Args:
        expected: The account that must come.
        found: The one that has come, as far as it is known.
        is_complete: Whether no more will be known: then a value that is missing is another one.
        again: How to get the right one.

    Raises:
        AnotherAccount: A value is not the expected one.
    """
    compared = [name for name in expected if is_complete or name in found]
    if all(str(found.get(name)) == str(expected[name]) for name in compared):
        return
    raise AnotherAccount(
        f"the provider authorized {name_account(found)}, and {name_account(expected)} was expected; nothing is stored",
        why="its tokens are dropped and not revoked, which could end the same person's grant in another secret"
        if is_complete
        else "its code was not used",
        fix=again,
    )


def name_account(account: Account) -> str:
    """Name an account."""
    return ", ".join(f"{name} {value}" for name, value in account.items()) or "an account that it doesn't name"
