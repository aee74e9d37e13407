"""An authorization, from its redirect to the tokens that are stored: what `authorize` and `Grants` share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final, Literal

from token_refresh.advice import Advice
from token_refresh.errors import ConfigurationError, SecretStoreError
from token_refresh.secret_value import SecretValue
from token_refresh_admin.changes.authorization_request import AuthorizationRequest, Redirect
from token_refresh_admin.changes.change import PROBE_LABEL, ChangeFailed, repeated
from token_refresh_admin.changes.publish import StoredGrant
from token_refresh_admin.changes.store import NewGrant, exchange
from token_refresh_worker.core.versions import CURRENT, REDIRECT_NOTE, redirect_place_id, redirect_version_id
from token_refresh_worker.providers.provider import Provider
from token_refresh_worker.run.failures import SecretName, no_value
from token_refresh_worker.run.ports import RunDependencies
from token_refresh_worker.run.version_capacity import Needed, check_places

Account = Mapping[str, str | int]
"""Whose grant it is, by the names that the provider's profile lists as `identity`; see `Provider.account`."""


ANYONE: Final = "anyone"
"""Says that any account is the right one."""
REDIRECTS_A_DAY: Final = 5
"""How many redirects a secret takes on a day (UTC): each stores two versions, and a secret holds 100."""
Expected = Account | Literal["anyone"]
Confirm = Callable[[Account], bool]


class AnotherAccount(ChangeFailed):
    """The provider authorized another account than the expected one. Nothing is stored, and nothing is revoked."""


class RedirectTaken(ChangeFailed):
    """A redirect came twice, such as by a second click, and the first one has its code."""


class TooManyRedirects(ChangeFailed):
    """The secret has taken as many redirects as it takes on a day. The code was not used."""

    needs_person = False


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Target:
    """Where a new grant is stored, and whose it must be."""

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

    def store(self, parts: RunDependencies, redirect: Redirect, grant: NewGrant) -> StoredGrant:
        """Store a grant of the right account on what is there by now."""
        self.judge(parts.provider.account(grant.document(parts, self.fields(redirect)).fields), True)
        try:
            return grant.store(parts, self.known, lambda it: redirect.put_into(self.change(it)), self.create)
        except SecretStoreError as failure:
            what = f"the provider sent tokens for {parts.secret}, and they could not be stored"
            lost = failure.within(what, failure.fix)
            lost.needs_person = True  # Who consents again: the code is used.
            raise lost from None


def complete_authorization(  # noqa: PLR0913 - the last three by name
    parts: RunDependencies,
    authorization: AuthorizationRequest,
    target: Target,
    redirect: Redirect,
    *,
    take: Callable[[], datetime],
    keeps_client: bool = False,
    lost_claim: str | None = None,
) -> StoredGrant:
    """Exchange the code with the provider that the target's `fields` say, and store the tokens.

    `take` is called when the redirect's account is found right, before the exchange. It returns the time by the
    service's clock, so that the stored expiry is never too late. `keeps_client` stores the client beside the tokens.
    `lost_claim` is what `find_lost_claim` found.
    """
    fields, provider = target.fields(redirect), parts.provider
    # What the response before it brought says nothing about this one.
    named = {name: value for name, value in fields.items() if name not in provider.response.extra}
    target.judge(provider.account(named), False)
    sent_at = take()
    if target.create is None:
        check_places(parts, sent_at, Needed(1), "the code was not used")
    grant = NewGrant(
        tokens=exchange(parts, authorization, redirect.code),
        sent_at=sent_at,
        asked_scope=authorization.scope,
        client=authorization.client if keeps_client else None,
        lost_claim=lost_claim,
    )
    return target.store(parts, redirect, grant)


def take_redirect(parts: RunDependencies, state: str, now: datetime) -> datetime:
    """Take a redirect, whose code is good for one exchange, in the secret itself, and return the service's time.

    It takes one of the day's places, so that nobody fills the secret by calling the callback. Of two with the same
    `state` that come at once, in whatever processes, one gets the version ID: a code that is sent twice may cost the
    tokens that it brought (RFC 6749 section 4.1.2). It also shows that the caller may write, while the code is unused.
    """
    own, put = redirect_version_id(state), partial(parts.store.put, label=PROBE_LABEL)
    # A fixed value: a place is had if it is free, or if this redirect has it already.
    mark = SecretValue(f"{REDIRECT_NOTE}, {own}")
    if not any(put(redirect_place_id(now.date(), place), mark) for place in range(REDIRECTS_A_DAY)):
        raise TooManyRedirects(
            f"{parts.secret} has taken {REDIRECTS_A_DAY} redirects today, as many as it takes on a day (UTC)",
            why="its code was not used",
            fix=f"let the user begin again (Grants.begin) on {now.date() + timedelta(days=1)}",
        )
    if not put(own, SecretValue(f"{REDIRECT_NOTE}, {parts.nonce()}")):
        raise RedirectTaken(
            f"the redirect for {parts.secret} came twice: its code is used, or being used, by the one before",
            fix=("Look at what that one has stored: ", parts.secret.command("status")),
        )
    current = repeated(lambda: parts.store.read(label=CURRENT), parts.deadline.clock)
    if current is None:
        raise no_value(parts.secret)
    return current.read_at


def refuse_unknowable(template: Provider, expect: object) -> None:
    """Refuse to expect what nobody could find out: the profile names no account, or not by these names."""
    names = template.authorization.identity if template.authorization else ()
    if expect is None or expect == ANYONE:
        return
    if not names:
        raise ConfigurationError(
            f"the profile of {template.title} names no account; leave expect out, and find out with the tokens"
        )
    if isinstance(expect, Mapping) and expect and set(expect) <= set(names) and all(expect.values()):
        return
    raise ConfigurationError(f"expect must have values for some of {', '.join(names)}, or be ANYONE")


def expecting(
    wanted: Expected | None, confirm: Confirm | None, *, secret: SecretName, again: Advice
) -> Callable[[Account, bool], None]:
    """Make what judges an account: it must be the wanted one; where nobody is wanted, `confirm` must decide."""
    if wanted is None and confirm is None:
        raise ConfigurationError(
            f"{secret} holds no account yet, so somebody must confirm the first one; its code was not used",
            fix="pass confirm= to finish, or expect= to begin",
        )

    def judge(account: Account, is_complete: bool) -> None:  # noqa: FBT001 - as Target calls it
        if isinstance(wanted, Mapping):
            check_account(wanted, account, is_complete=is_complete, again=again)
        # `True` itself: what an async function returns without an `await` is as good as true.
        elif confirm is not None and wanted is None and is_complete and confirm(account) is not True:
            raise AnotherAccount(
                f"{name_account(account)} was not confirmed for {secret}; nothing is stored",
                why="its tokens are dropped, and not revoked",
                fix=again,
            )

    return judge


def check_account(expected: Account, found: Account, *, is_complete: bool, again: Advice) -> None:
    """Refuse another account than the expected one, and say how to get it `again`.

    `is_complete` says that no more will be known: then a value that is missing is another one.

    Raises:
        AnotherAccount: A value is not the expected one.
    """
    compared = [name for name in expected if is_complete or name in found]
    if all(name in found and str(found[name]) == str(expected[name]) for name in compared):
        return
    raise AnotherAccount(
        f"the provider authorized {name_account(found)}, and {name_account(expected)} was expected; nothing is stored",
        why="its tokens are discarded. They are not revoked: that could end this person's grant in another secret"
        if is_complete
        else "its code was not used",
        fix=again,
    )


def name_account(account: Account) -> str:
    """Name an account."""
    return ", ".join(f"{name} {value}" for name, value in account.items()) or "an account that it doesn't name"
