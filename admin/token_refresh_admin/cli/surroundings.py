"""What is wrong around a token set: its published copy, client, claim table and grant, and other refreshers."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from token_refresh.advice import Advice, Command
from token_refresh_admin.cli.finding import Finding
from token_refresh_admin.cli.lookups import fix_of_copy
from token_refresh_admin.cli.replicas import examine_replicas
from token_refresh_admin.cli.screen import relative
from token_refresh_admin.cli.state import SECRET_IS_BROKEN, SecretState
from token_refresh_worker.core.plan import publish_newer_tokens
from token_refresh_worker.core.schedule import SETTLED
from token_refresh_worker.core.snapshot import PublishedCopy, RunState
from token_refresh_worker.core.steps import SettingsMismatch
from token_refresh_worker.oauth.scopes import name_scopes
from token_refresh_worker.providers.provider import OldAccessToken
from token_refresh_worker.run.failures import span, utc
from token_refresh_worker.stored.origin import ClaimStoreKind

FOREIGN_SHOWN: Final = timedelta(days=7)
"""For how long after it stored something a second refresher is reported."""


def _published(state: SecretState) -> Iterator[Finding]:
    """Report what services read, and never the token secret: a copy that is broken, or does not follow."""
    failure = state.publish_failure
    if isinstance(failure, SECRET_IS_BROKEN):
        yield Finding.broken(
            f"services can't read the published copy: {failure.facts}", *fix_of_copy(state.context, failure)
        )
    elif failure is not None:
        yield Finding.attention(f"the published copy can't be read: {failure.facts}", *failure.fix)
    elif state.settings.published_secret_id is not None:
        yield from _copy(state, f"the published copy {state.settings.published_secret_id}")


def _replicas(state: SecretState) -> Iterator[Finding]:
    published = state.settings.published_secret_id
    if published and state.replicas:
        yield from examine_replicas(state.context, published, state.replicas, state.snapshot.now)


def _copy(state: SecretState, name: str) -> Iterator[Finding]:
    now, copy = state.snapshot.now, state.snapshot.published
    if copy is not None and copy.is_overwritten:
        read = _unusable(copy, now) or "services read an access token that no run stored"
        yield Finding.broken(f"{name} was overwritten at {utc(copy.stored_at)}; {read}", *_publish(state))
    elif state.published_is_older and not _publishes_nothing(state):  # Why it does not is a finding of its own.
        yield _older_copy(state, name, copy)


def _publishes_nothing(state: SecretState) -> bool:
    """Whether a run fails first: its settings don't fit, or somebody put dead tokens back over living ones."""
    return isinstance(state.step, SettingsMismatch) or state.snapshot.living is not None


def _unusable(copy: PublishedCopy | None, now: datetime) -> str | None:
    """Say why services can't use what a copy has; None if they can, or it has nothing."""
    if copy and copy.content.problem is not None:
        return f"services can't read it: {copy.content.problem}"
    expires_at = copy.content.expires_at if copy else None
    if expires_at is not None and expires_at <= now:
        return f"services can't use it: its access token expired {relative(expires_at - now)}"
    return None


def _older_copy(state: SecretState, name: str, copy: PublishedCopy | None) -> Finding:
    behind, publish = state.snapshot.now - state.snapshot.current.stored_at, _publish(state)
    older = f"{name} is of an older version" if copy else f"{name} has no value yet"
    if unusable := _unusable(copy, state.snapshot.now):
        older += f", and {unusable}"
    elif copy and state.settings.provider.old_access_token is OldAccessToken.DIES:
        older += ", and the refresh ended its access token"
    elif behind <= state.period:
        return Finding.attention(older, *publish)
    else:
        older += f" for {span(behind)}, and a run comes every {span(state.period)}"
    why = ("find out why no run updates it: ", doctor_of(state), ". ") if behind > state.period else ()
    return Finding.broken(older, *why, *publish)


def _publish(state: SecretState) -> Advice:
    """Say how the current access token is published, and from when on."""
    document, copy = state.document, state.snapshot.published
    if _publishes_nothing(state) or document.access_token is None or document.expires_at is None:
        return ("a run publishes again as soon as it can refresh the tokens",)
    # A run leaves a young copy of ours: what it read may be older than that.
    if copy and publish_newer_tokens(state.snapshot, RunState(publishes=True), state.settings.policy) is None:
        return (f"the first run after {utc(copy.stored_at + SETTLED)} updates it",)
    return "publish the current access token: ", state.context.command("refresh")


def _client(state: SecretState) -> Iterator[Finding]:
    """Report client credentials that no run finds: it ends before its claim, so no attempt tells."""
    if state.client_failure is not None:
        failure = state.client_failure
        remedy = failure.fix or ("store them, which takes no consent: ", state.context.command("client"))
        yield Finding.broken(f"every refresh fails before it begins: {failure.facts}", *remedy)


def _table(state: SecretState) -> Iterator[Finding]:
    """Report a claim table that is older than the tokens: reads of a table are consistent, so its claim is lost."""
    store = state.settings.policy.claim_store
    lost = state.snapshot.missing_claim_id is not None and store.kind is ClaimStoreKind.TABLE
    if not lost or isinstance(state.step, SettingsMismatch):
        return
    remedy: Advice = (
        "a run that refreshes begins the claims anew there; now: ",
        state.context.command("refresh", "--force"),
    )
    if not state.snapshot.counted_grace(state.settings.policy):
        # A lost claim may have redeemed the token: a run waits before it sends it again.
        remedy = ("the run that is due begins the claims anew there, and one shortly before the expiry refreshes",)
    yield Finding.attention(
        f"{store} has lost claims on this secret: it was emptied, restored from a backup or made anew. The tokens "
        "are good",
        *remedy,
    )


def _full(state: SecretState) -> Iterator[Finding]:
    """Report a secret that has no place for new tokens, if they will be due before it has."""
    full, due = state.full, state.due_at
    if full is not None and (due is None or full.retry_at is None or due < full.retry_at):
        yield Finding.attention(full.facts, *full.fix)


def foreign_sets(state: SecretState) -> Iterator[Finding]:
    """Report tokens of something else: of another grant, or of a second refresher, and the two cost each other's."""
    found, command = state.snapshot.foreign, state.context.command
    if found is None or state.snapshot.now - found.stored_at > FOREIGN_SHOWN:
        return
    many = f"{found.count} token sets were" if found.count > 1 else "a token set was"
    yield Finding.attention(
        f"{many} stored by something other than this worker and its commands; the last is version "
        f"{found.version_id}, of {utc(found.stored_at)}. A second refresher uses up the refresh token, and can cost "
        "the grant",
        *("if it is of another grant, bring this worker's last one back: ", command("restore")),
        ". If a second refresher stored it, stop it; CloudTrail's PutSecretValue events say who it is. Then begin a ",
        *("grant that it doesn't know: ", command("authorize"), ". What it stored: ", command("history")),
    )


def _scopes(state: SecretState) -> Iterator[Finding]:
    """Report scopes that a refresh took, until they are back: consumers are denied what they could do."""
    page, origin = state.settings.provider.authorization, state.document.origin
    named = page.scopes if page else ()
    if lost := origin.scopes_lost if origin else ():
        yield Finding.attention(
            f"a refresh brought tokens without {len(lost)} of the grant's scopes: {name_scopes(lost, named)}",
            "ask at the provider what changed for the client or its user. To get them back: ",
            state.context.command("authorize"),
        )


def _ending(state: SecretState) -> Iterator[Finding]:
    """Report a grant that ends soon, whatever the runs do."""
    end, now = state.grant_end, state.snapshot.now
    if end is None or now < end.ending_at or is_prolonged(state):
        return
    when = f"the grant {'ends' if now < end.at else 'ended'} {relative(end.at - now)}, and"
    if _moves_the_end(state):
        refresh = state.context.command("refresh", "--force")
        yield Finding.attention(f"{when} the next refresh is due after that", "refresh now: ", refresh)
    else:
        authorize = state.context.command("authorize")
        yield Finding.attention(f"{when} no refresh prolongs it", "authorize again: ", authorize)


def is_prolonged(state: SecretState) -> bool:
    """Whether the next refresh moves the end of the grant, as far as is known, and is due before that."""
    end, due = state.grant_end, state.due_at
    return end is not None and (due is None or due < end.at) and _moves_the_end(state)


def _moves_the_end(state: SecretState) -> bool:
    """Whether a refresh moves it. The last one didn't, if the grant was ending when it brought these tokens."""
    end, issued_at = state.grant_end, state.document.issued_at
    lasts = end is not None and issued_at is not None and issued_at >= end.ending_at
    return (end is not None and end.is_idle) or (state.settings.provider.prolongs_grants and not lasts)


def _provider_ends(state: SecretState) -> Iterator[Finding]:
    provider = state.settings.provider
    if notice := provider.end_notice(state.snapshot.now.date()):
        facts = Command(("token-refresh", "providers", provider.name), is_complete=True)
        yield Finding.attention(notice, "plan the move; what is known of it: ", facts)


def doctor_of(state: SecretState) -> Command:
    """Return the command that checks schedule and function."""
    named = () if state.context.source.function else ("--function", "NAME")
    return state.context.command("doctor", *named)


AROUND: Final = (_client, _table, _full, foreign_sets, _scopes, _ending, _provider_ends, _published, _replicas)
"""The checks of all that, which `health` asks in this order."""
