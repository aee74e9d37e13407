"""What must hold, checked in every world and at every step. Each check raises `Violation`, in the protocol's words."""

import functools
import json
import math
import re
from typing import Any, Final

from proof.operators import ANY_BACK, LOSE_KEY, SPOIL_STAGED
from proof.ports import Ended, Send
from proof.providers import OTHERS, Provider, family_of, parse
from proof.store import (
    FULL,
    PUBLISHED,
    TOKENS,
    AnyCall,
    Append,
    Item,
    Move,
    Put,
    Record,
    Store,
    in_one_spelling,
    origin_of,
    refresh_token_of,
)
from proof.world import (
    CLOCKS_DIFFER,
    COMMANDS,
    EPOCH_SECONDS,
    HOST,
    STALE_SECONDS,
    Scenario,
    Violation,
    Worker,
    World,
    name_of,
)
from testbed.secrets_manager.limits import LABELS_PER_SECRET
from token_refresh.secret_value import SecretValue
from token_refresh_worker.core.attempts import fingerprint_of
from token_refresh_worker.core.versions import (
    CLAIM,
    CURRENT,
    OUTCOME,
    PREVIOUS,
    record_version_id,
    staged_version_id,
)
from token_refresh_worker.providers.lifetime import VERSIONS_A_CLAIM
from token_refresh_worker.run.version_capacity import SPARE

# Bound before any bug is planted: what is right is not decided by what is checked.
_STAGED, _RECORD = staged_version_id, record_version_id
_DISTURBED: Final = {
    "InvalidSecretDocument",
    "KeptTokensUnreadable",
    "SecretAccessDenied",
    "SecretStoreUnavailable",
    "TokenRequestRejected",
    "TokensKept",
}
_OF_TOKENS: Final = {"accessToken", "refreshToken", "expiresAt", "issuedAt", "tokenRefresh"}
_TOKEN: Final = re.compile(r'"[ar]\d+\.\d+"')


class Invariants:
    """Checks on one search's store."""

    def __init__(self, scenario: Scenario, store: Store) -> None:
        self._scenario = scenario
        self._store = store
        # Elsewhere a run may lack what is recorded while it is under way, or a person takes the claims from it.
        self._keeps_living = any(name in ANY_BACK for name in scenario.operator)
        self._checked: set[tuple[int, int, Provider, str]] = set()
        self._clean: set[str] = set()
        self._refresh_tokens: dict[int, str] = {}
        self._expiries: dict[int, int] = {}

    def check_write(  # noqa: PLR0917 - what was written, and by whom
        self, before: int, after: int, call: AnyCall, reply: object, provider: Provider, kind: str = "s"
    ) -> None:
        """A worker moves AWSCURRENT to a complete set that follows from the one that it leaves, and writes no token."""
        self._check_text(call)
        if reply is FULL and isinstance(call, Put) and _is_set(call.text):
            raise Violation("received tokens were refused: the secret is full")
        if before == after:
            return
        self._check_kept_is_stored(before, after, provider)
        if self._keeps_living and isinstance(call, Move) and call.label == CURRENT and kind not in COMMANDS:
            self._check_follows_living(after, call, provider)
        if (isinstance(call, Put) and call.secret == PUBLISHED) or getattr(call, "secret", "") == PUBLISHED:
            self._check_published(before, after)
            return
        old, new = (self._store.labels(state, TOKENS)[CURRENT] for state in (before, after))
        if old == new or (before, after, provider, kind) in self._checked:
            return
        if kind in set("cxow") and isinstance(call, Put):
            raise Violation("a command put a version in the place of one that it had not seen")
        if kind in COMMANDS:
            self._check_command(kind, *(self._store.texts(after).get(version_id) for version_id in (old, new)))
            if kind == "o":
                self._check_recovered(json.loads(self._store.texts(after)[new]), provider)
        else:
            self._check_promotion(old, new, self._store.texts(after), provider)
        self._checked.add((before, after, provider, kind))

    def _check_command(self, kind: str, before: str | None, after: str | None) -> None:
        """New client credentials leave the tokens that are current, and a command keeps what is not about tokens."""
        old, new = json.loads(before or "{}"), json.loads(after or "{}")
        if kind == "c" and not self._moved(new, old):
            raise Violation("new client credentials brought other tokens")
        places = [
            {k: v for k, v in origin_of(text or "{}").items() if k in {"store", "table"}} for text in (before, after)
        ]
        if kind == "a" and places[0] and places[0] != places[1]:
            raise Violation("an authorization names a claim store that the claims have left")
        if kind in "av" and not {*old} - _OF_TOKENS <= {*new}:
            raise Violation("a command dropped a key that is not about tokens")

    def waits_for_recovery(self, state: int) -> bool:
        """Whether a person pointed to something else than the token, and has not recovered the tokens since."""
        texts = self._store.texts(state)
        origin = origin_of(texts[self._store.labels(state, TOKENS)[CURRENT]])
        pointed = max((_number(text) for text in texts.values() if refresh_token_of(text) == OTHERS), default=-1)
        old = "recovered" not in origin and _number(texts[self._store.labels(state, TOKENS)[CURRENT]]) <= pointed
        return old or self.current_refresh_token(state) == OTHERS

    @staticmethod
    def _check_recovered(document: dict[str, Any], provider: Provider) -> None:
        """What a person recovers is good, and lives as long as it says."""
        token = document["refreshToken"]
        if provider.kind == "single-use" and provider.used(token):
            raise Violation("a recovery made a used refresh token current")
        ends_at = provider.lives_until(token)
        if ends_at is not None and document["expiresAt"] > ends_at * 1000:
            raise Violation("recovered tokens are said to live longer than they do")

    def is_revoked(self, state: int) -> bool:
        """Whether the current version says that the grant was revoked."""
        text = self._store.texts(state)[self._store.labels(state, TOKENS)[CURRENT]]
        return "revoked_at" in origin_of(text)

    def is_new_consent(self, state: int) -> bool:
        """Whether the current tokens are those of a consent, no claim was on them, nobody put them back or paused."""
        item, versions = self._store.table(state).item, self._store.texts(state)
        text = versions[self._store.labels(state, TOKENS)[CURRENT]]
        origin, token = origin_of(text), _fingerprint(self.current_refresh_token(state))
        texts = [*versions.values(), *([item.text] if item else [])]
        is_put_back = [refresh_token_of(other) for other in versions.values()].count(refresh_token_of(text)) > 1
        # A claim names the token that it is on, and those of the claims before it.
        is_claimed = any(f'"{token}"' in text for text in texts if '"nonce"' in text)
        # What a table has lost after the consent may have been a claim on these tokens.
        is_lost = origin.get("store") == "table" and _number(text) > (item.number if item else 0)
        is_paused = any('"pause"' in text for text in texts if '"nonce"' in text)
        is_used = is_claimed or is_put_back or is_lost
        is_consent = origin.get("authorized") is True and origin.get("token") == token
        return is_consent and not is_used and not is_paused

    def _check_kept_is_stored(self, before: int, after: int, provider: Provider) -> None:
        """What the table keeps goes only after it is stored, or after a person authorized again.

        Or where nobody can decrypt it, and the provider brings other tokens for the same one.
        """
        old, new = (self._store.table(state).item for state in (before, after))
        if old is None or old.kept_tokens is None or (new is not None and new.kept_tokens is not None):
            return
        again = LOSE_KEY in self._scenario.operator and provider.kind != "single-use"
        if old.kept_tokens not in self._store.texts(after).values() and not self.replaced(old, after) and not again:
            raise Violation("kept tokens were removed before they were stored")

    def replaced(self, item: Item, state: int) -> bool:
        """Whether nobody needs what an item keeps: a person authorized again, or the table is older than the secret."""
        text = self._store.texts(state)[self._store.labels(state, TOKENS)[CURRENT]]
        number, redeemed = origin_of(text).get("number", 0), json.loads(item.text)["token"]
        current = fingerprint_of(SecretValue(self.current_refresh_token(state)))
        authorized = origin_of(text).get("authorized") is True and redeemed != current
        return authorized or (isinstance(number, int) and number > item.number)

    def check_kept(self, state: int) -> None:
        """Nothing is sent while the table keeps received tokens."""
        item = self._store.table(state).item
        if item is not None and item.kept_tokens is not None:
            raise Violation("a refresh token was sent although the table keeps the tokens that it brought")

    def _check_promotion(self, old: str, new: str, versions: dict[str, str], provider: Provider) -> None:
        document = json.loads(versions[new])
        if not document.get("accessToken") or not document.get("refreshToken"):
            raise Violation("AWSCURRENT moved to a version that is not a complete token set")
        if document["refreshToken"] == OTHERS and "recovered" not in origin_of(versions[old]):
            return  # A person pointed to it, and to nothing else since.
        claim_id = origin_of(versions[new]).get("claim")
        if claim_id is None and not self._scenario.moves:
            raise Violation("AWSCURRENT moved to a version that no worker staged")
        left = refresh_token_of(versions[old]) if old in versions else None
        if left is not None and not provider.follows(document["refreshToken"], left):
            raise Violation("AWSCURRENT moved to tokens that do not follow from the ones it leaves")
        before = json.loads(versions[old])
        if self._scenario.moves and self._moved(document, before):
            return
        if _number(versions[new]) < _number(versions[old]):
            raise Violation("AWSCURRENT moved to a document that names an older claim")
        if self._scenario.returns_same and document["accessToken"] == before["accessToken"]:
            # Where a token may always be sent again, a run that read before the last one's write asks once more.
            if provider.kind != "static":
                self._check_asked(document, before)
        elif self._issued(document) <= self._issued(before):
            raise Violation("AWSCURRENT moved back to older tokens")

    def _check_asked(self, document: dict[str, Any], before: dict[str, Any]) -> None:
        """An access token that came again is asked for once in a window, and once in its last quarter."""
        window = self._scenario.window_seconds
        left, asked = (it.get("tokenRefresh", {}).get("asked_left_seconds", math.inf) for it in (document, before))
        if asked <= window and left > window // 4:
            raise Violation("the same access token was asked for again although it is as good as it was")

    @staticmethod
    def _moved(document: dict[str, str], before: dict[str, str]) -> bool:
        """Whether a move alone was stored: the same tokens, of another claim store."""
        return all(document.get(key) == before.get(key) for key in ("accessToken", "refreshToken"))

    @staticmethod
    def _issued(document: dict[str, str]) -> tuple[int, int]:
        family, issued = document["accessToken"].removeprefix("a").split(".") if document.get("accessToken") else (0, 0)
        return int(family), int(issued)

    def _check_text(self, call: AnyCall) -> None:
        """No claim, record or version ID contains a token."""
        text = call.item.text if isinstance(call, Append) else call.text if isinstance(call, Put | Record) else ""
        if text in self._clean:
            return
        if _TOKEN.search(text) and not _is_set(text) and '"sourceVersionId"' not in text:
            raise Violation("a claim or a record holds a token")
        self._clean.add(text)

    def _check_published(self, before: int, after: int) -> None:
        """The published copy goes back only where a person moved AWSCURRENT back.

        Versions are stored in the order in which they become current.
        """
        sources = [self._published_source(state) for state in (before, after)]
        order = list(self._store.texts(after))
        old, new = ((-1 if source not in order else order.index(source)) for source in sources)
        if new < old and sources[1] != self._store.labels(after, TOKENS)[CURRENT]:
            raise Violation("the published copy went back to an older token set")

    def _check_follows_living(self, state: int, call: Move, provider: Provider) -> None:
        """No run makes current, or publishes, what is known to be dead while a newer set may be alive."""
        source = self._published_source(state) if call.secret == PUBLISHED else call.to
        token = refresh_token_of(self._store.texts(state).get(source or "", ""))
        if token is not None and self._living(state, provider, math.inf, token):
            what = "published" if call.secret == PUBLISHED else "made current"
            raise Violation(f"a token that is known to be dead was {what} although a newer set may be alive")

    def living_beside(self, state: int, provider: Provider, now: int) -> bool:
        """Whether the current token is known to be dead, and a newer set that may be alive is stored."""
        return self._living(state, provider, now, self.current_refresh_token(state))

    def _living(self, state: int, provider: Provider, now: float, token: str) -> bool:
        stored, rejected = self._known(state)
        if _fingerprint(token) not in stored | rejected or provider.alive(token, now):
            return False
        texts = self._store.texts(state)
        tokens = [refresh_token_of(text) for text in texts.values()]
        # Whoever authorized by command replaced what is older; a set that somebody saved may lie over any.
        texts_of = [text for text in texts.values() if refresh_token_of(text) == token]
        brought = token.partition(".")[2] != "0" or any(
            origin_of(text).get("token") == _fingerprint(token) for text in texts_of
        )
        newer = tokens[tokens.index(token) if brought and token in tokens else 0 :]
        return any(
            other is not None and _fingerprint(other) not in stored | rejected and provider.alive(other, now)
            for other in newer
        )

    def _known(self, state: int) -> tuple[frozenset[str], frozenset[str]]:
        """Return the fingerprints of tokens that are recorded as used, and as rejected."""
        texts, stored, rejected = self._store.texts(state), set[str](), set[str]()
        item = self._store.table(state).item
        claims = [(text, texts.get(_RECORD(version_id))) for version_id, text in texts.items()]
        for text, record in (*claims, *([(item.text, item.record)] if item else [])):
            if not text.startswith("{") or '"nonce"' not in text:
                continue
            claim = json.loads(text)
            if record is not None and '"rejected"' in record:  # It may be unreadable.
                rejected.add(claim["token"])
            for entry in claim["earlier"]:
                if entry[5] == "rejected":
                    rejected.add(entry[4])
                elif entry[5] == "stored":
                    stored.add(entry[4])
        return frozenset(stored), frozenset(rejected)

    def _published_source(self, state: int) -> str | None:
        version_id = self._store.labels(state, PUBLISHED).get(CURRENT)
        if version_id is None:
            return None
        return str(json.loads(self._store.published_texts(state)[version_id])["sourceVersionId"])

    def check_published(self, state: int, now: int) -> None:
        """After a finished run the published copy is of the current version, or it is so new that it may be newer."""
        if self._published_source(state) == self._store.labels(state, TOKENS)[CURRENT]:
            return
        created_at = self._store.created(state, PUBLISHED, self._store.labels(state, PUBLISHED)[CURRENT])
        if now - created_at > STALE_SECONDS + CLOCKS_DIFFER:
            raise Violation("after a finished run the published copy is of another version")

    @staticmethod
    def check_send(sending: list[str], call: Send) -> None:
        """At most one redemption of a grant is in flight, and each goes to the host that issued the token."""
        if sending.count(family_of(call.refresh_token)) > 1:
            raise Violation("two redemptions are in flight")
        if call.host != HOST:
            raise Violation("a refresh token was sent to another host")

    def check_place(self, world: World) -> None:
        """No token is redeemed whose successor has no place."""
        if self._scenario.fills and self._store.places(world.store, world.now) < 1:
            raise Violation("a refresh token was sent although the secret has no place for its successor")

    def check_reuse(self, world: World, provider: Provider, call: Send, kind: str) -> None:
        """A used single-use token is sent again only if its response was lost; late, or once by naming the attempt."""
        if provider.kind != "single-use" or not provider.used(call.refresh_token):
            return
        family, _ = parse(call.refresh_token)
        if provider.families[family].revoked:
            return
        if not world.lost >> family & 1:
            raise Violation("a used refresh token was sent again: the provider revokes a grant that was alive")
        named = kind == "n" and parse(call.refresh_token) == (0, self._scenario.before)
        if world.now >= self._quarter_of(call.refresh_token, world.store):
            return
        if not named:
            raise Violation("a refresh token of unknown outcome was sent again before the last quarter of the window")
        if world.resent:
            raise Violation("an attempt was named once, and its refresh token was sent again twice")

    def _quarter_of(self, refresh_token: str, state: int) -> int:
        """Return the last quarter of the set that holds a refresh token; a run that was frozen sends an older one."""
        texts = self._store.texts(state).values()
        return max(self._quarter(text) for text in texts if refresh_token_of(text) == refresh_token)

    def _quarter(self, text: str) -> int:
        quarter = self._true_expiry(text) - self._scenario.window_seconds // 4
        idle = self._scenario.idle_seconds
        return quarter if idle is None else min(quarter, json.loads(text)["issuedAt"] // 1000 + idle * 11 // 12)

    def last_quarter_at(self, state: int) -> int:
        """Return when the last quarter of the current token set begins."""
        return self._quarter(self._store.texts(state)[self._store.labels(state, TOKENS)[CURRENT]])

    def _true_expiry(self, text: str) -> int:
        """Return when the access token of a set really ends, whatever is stored."""
        document = json.loads(text)
        if self._scenario.first_expiry != "true" and document.get("accessToken") == "a0.0":
            return EPOCH_SECONDS + self._scenario.due_seconds
        return int(document["expiresAt"]) // 1000

    def expires_at(self, state: int) -> int:
        """Return the expiry of the current token set."""
        known = self._expiries.get(state)
        if known is None:
            text = self._store.texts(state)[self._store.labels(state, TOKENS)[CURRENT]]
            known = self._expiries[state] = self._true_expiry(text)
        return known

    def due_at(self, state: int) -> int:
        """Return when the current token set is due: a window before it expires, or in the last third of its grant."""
        text = self._store.texts(state)[self._store.labels(state, TOKENS)[CURRENT]]
        window, idle = self._scenario.window_seconds, self._scenario.idle_seconds
        left = json.loads(text).get("tokenRefresh", {}).get("asked_left_seconds", math.inf)
        due = self.expires_at(state) - next(part for part in (window, window // 4, 0) if part < left)
        return due if idle is None else min(due, json.loads(text)["issuedAt"] // 1000 + idle * 2 // 3)

    def current_refresh_token(self, state: int) -> str:
        """Return the refresh token of the current token set."""
        known = self._refresh_tokens.get(state)
        if known is None:
            text = self._store.texts(state)[self._store.labels(state, TOKENS)[CURRENT]]
            known = self._refresh_tokens[state] = str(refresh_token_of(text))
        return known

    def check_end(self, world: World, worker: Worker, provider: Provider, ended: Ended) -> None:
        """A run ends in a named way, holds no tokens that are not stored, and gives nothing up without cause."""
        if not ended.named:
            raise Violation(f"a run ended with {ended.outcome}")
        spoilt = ended.outcome == "TokensNotStored" and SPOIL_STAGED in self._scenario.operator
        if worker.unstored >= 0 and not spoilt and not worker.unkept:
            raise Violation(f"a run ended ({ended.outcome}) with tokens that it received and did not store")
        self._check_full(world, worker, ended)
        self._check_recovery_ended(world, worker, provider, ended)
        if self.is_revoked(world.store):
            return
        # A second authorization ends the token set that took the place of the rejected one.
        once = len(provider.families) <= 2 and not self._scenario.budget.stale
        if ended.outcome == "ReauthorizationRequired" and worker.superseded and once:
            token = self.current_refresh_token(world.store)
            if provider.alive(token, world.now):
                raise Violation("a run gave the grant up although another token set was current when it was rejected")
        undisturbed = not (self._scenario.people or self._scenario.budget.false_rejections or world.lost)
        if (
            ended.outcome == "ReauthorizationRequired"
            and undisturbed
            and self.reachable(world.store, provider, world.now)
        ):
            raise Violation("a run asked for a new authorization although stored tokens are good")
        if ended.outcome == "RefreshOutcomeUnknown" and not world.unknown:
            raise Violation("a run took an outcome for unknown although nothing died and no response was lost")
        if ended.outcome == "ConfigurationError" and worker.plan[0] in "sf" and not self._scenario.moves:
            raise Violation("a run with the right settings ended with ConfigurationError")
        # Who is told to restore a version is looked at where runs are left alone.
        if ended.outcome in _DISTURBED and not world.faulted and ended.restores is None:
            raise Violation(f"a run ended with {ended.outcome} although nothing was out of reach or unreadable")

    def _check_recovery_ended(self, world: World, worker: Worker, provider: Provider, ended: Ended) -> None:
        token = self.current_refresh_token(world.store)
        if (worker.plan[0], ended.outcome) == ("o", "done") and provider.kind == "single-use" and provider.used(token):
            raise Violation("a recovery ended, and a used refresh token is current")

    def _check_full(self, world: World, worker: Worker, ended: Ended) -> None:
        """A run ends for want of places where they are wanting, and the daily limit alone leaves enough."""
        if ended.outcome != "SecretFull":
            return
        needed = VERSIONS_A_CLAIM[name_of(self._scenario.claims_of(worker.plan[0])).kind]
        labels = {*self._store.labels(world.store, TOKENS), CURRENT, PREVIOUS, OUTCOME, CLAIM}
        places = self._store.places(world.store, world.now - CLOCKS_DIFFER)
        if len(labels) + SPARE <= LABELS_PER_SECRET and places >= needed + SPARE:
            raise Violation("a run found the secret full although there are places")
        if len(world.workers) == 1 and not self._scenario.operator:
            raise Violation("the daily limit of claims left no place for new tokens")

    def reachable(self, state: int, provider: Provider, now: int) -> bool:
        """Whether a stored token set of the current one's family is alive at the provider."""
        current = self.current_refresh_token(state)
        family = family_of(current)
        table = self._store.table(state)
        kept = table.item.kept_tokens if table.item and not table.key_gone else None
        tokens = [refresh_token_of(text) for text in (*self._store.texts(state).values(), kept or "")]
        return any(family_of(token) == family and provider.alive(token, now) for token in tokens if token)


def _number(text: str) -> int:
    number = origin_of(text).get("number", 0)
    return number if isinstance(number, int) else 0


@functools.cache
def _fingerprint(token: str) -> str:
    return fingerprint_of(SecretValue(token))


def _is_set(text: str) -> bool:
    return '"refreshToken"' in in_one_spelling(text) and '"nonce"' not in text
