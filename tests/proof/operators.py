"""What a person, or AWS itself, may do to the secret and the claim table at any moment, besides the workers."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from proof.ports import authorized
from proof.providers import STRANGERS, Provider, family_of, first_document, parse
from proof.store import (
    SPELLINGS,
    TOKENS,
    AnyCall,
    ChangeKey,
    EnableKeys,
    Fill,
    FillLabels,
    Item,
    LoseKey,
    Move,
    Put,
    Remove,
    SetTable,
    Store,
    origin_of,
    refresh_token_of,
)
from proof.world import EPOCH_SECONDS, LIFETIME_SECONDS, Scenario
from testbed.secrets_manager.limits import LABELS_PER_SECRET
from token_refresh_worker.core.versions import (
    CLAIM,
    CURRENT,
    OUTCOME,
    claim_version_id,
    record_version_id,
    staged_version_id,
)

PREVIOUS: Final = "AWSPREVIOUS"

REAUTHORIZE: Final = "re-authorize by hand"
AUTHORIZE: Final = "token-refresh authorize"
EDIT: Final = "save an edited copy"
EDIT_BARE: Final = "save an edited copy without the key"
COPY_BACK: Final = "save a copy of one of the last 3 sets"
COPY_BACK_BARE: Final = "save such a copy without the key"
MOVE_BACK: Final = "move AWSCURRENT back by 1 to 3 sets"
PUT_BACK: Final = "put back any earlier document"
PUT_BACK_BARE: Final = "put back any earlier document without the key and its time"
PUT_BACK_SPELLED: Final = "put back any earlier document in the other spelling"
LABEL_BACK: Final = "move AWSCURRENT to any earlier document"
STRANGE: Final = "save a stranger's document"
UNLABEL: Final = "take REFRESH_CLAIM off"
MOVE_LABEL: Final = "move REFRESH_CLAIM to another version"
STAGE: Final = "stage a foreign AWSPENDING"
SPOIL_CLAIM: Final = "store something unreadable where the next claim goes"
SPOIL_STAGED: Final = "store something unreadable where the next tokens go"
SPOIL_RECORD: Final = "store something unreadable where the next record goes"
LOSE_SUCCESSOR: Final = "remove the stored tokens that follow"
LOSE_TABLE: Final = "lose the claim table"
RESTORE_TABLE: Final = "restore an old claim table"
LOSE_KEY: Final = "delete the key of kept tokens"
CHANGE_KEY: Final = "change the secret's key, and disable the old one"
ENABLE_KEYS: Final = "enable every key again"
FILL: Final = "store versions until few places are left"
FILL_LABELS: Final = "put labels on a version until few are left"
NOTE: Final = "store one version"

ANY_BACK: Final = (PUT_BACK, PUT_BACK_BARE, PUT_BACK_SPELLED, LABEL_BACK)
ANYTHING: Final = (REAUTHORIZE, EDIT, COPY_BACK, MOVE_BACK, UNLABEL, STAGE)

_SETS_BACK: Final = 3
_GARBAGE: Final = "not JSON"


class Action(NamedTuple):
    """One action."""

    name: str
    call: AnyCall
    provider: Provider
    spoils: bool = False
    """Whether a run may find something unreadable after it."""
    loses: bool = False
    """Whether tokens or attempts are forgotten by it."""
    forgets: bool = False
    """Whether nothing says any more that a token was redeemed."""
    lasts: bool = False
    """Whether it takes longer than a run."""
    between_runs: bool = False
    """Whether no run is under way meanwhile, and reads show it: what a run has seen of the secret would be too old."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What a person sees, and what they may do."""

    scenario: Scenario
    store: Store
    state: int
    provider: Provider
    serial: int
    """How many actions were taken before."""
    now: int
    items: tuple[Item, ...] = ()
    """Earlier items of the claim table."""

    @property
    def labels(self) -> dict[str, str]:
        """Which version each label is on."""
        return self.store.labels(self.state, TOKENS)

    @property
    def current(self) -> str:
        """The current version."""
        return self.labels[CURRENT]

    @property
    def versions(self) -> dict[str, str]:
        """The text of each version, oldest first."""
        return self.store.texts(self.state)

    @property
    def new_version(self) -> str:
        """The ID of a version that this action stores."""
        return f"operator-{self.serial}-".ljust(36, "0")

    @property
    def newest_claim(self) -> str | None:
        """The claim that a worker would find."""
        table = self.store.table(self.state)
        return (table.item.claim_id if table.item else None) or self.labels.get(CLAIM)

    @property
    def lost_claim(self) -> str | None:
        """The claim that the current set names, if the claim table has lost it."""
        origin, item = origin_of(self.versions[self.current]), self.store.table(self.state).item
        claim, number = origin.get("claim"), origin.get("number")
        if origin.get("store") != "table" or not isinstance(claim, str) or not isinstance(number, int):
            return None
        return claim if number > (item.number if item else 0) else None

    def older_sets(self) -> list[str]:
        """The last token sets that were current before this one, newest first."""
        known = len(self.provider.families)
        tokens = {v: refresh_token_of(text) for v, text in self.versions.items()}
        versions = [v for v, token in tokens.items() if token and parse(token)[0] < known]
        if self.current not in versions:
            return []
        return versions[: versions.index(self.current)][: -_SETS_BACK - 1 : -1]

    def other_sets(self) -> list[str]:
        """Return the first, second and last stored set of each grant, the current tokens aside."""
        by_family: dict[str, dict[str, str]] = {}
        for version_id, text in self.versions.items():
            token = refresh_token_of(text)
            if token and parse(token)[0] < len(self.provider.families):
                by_family.setdefault(family_of(token), {})[token] = version_id
        sets = [list(versions.values()) for versions in by_family.values()]
        chosen = dict.fromkeys(v for versions in sets for v in (*versions[:2], versions[-1]))
        current = refresh_token_of(self.versions[self.current])
        return [v for v in chosen if refresh_token_of(self.versions[v]) != current]

    def saved(self, document: dict[str, object]) -> Put:
        """Return the call that stores a document as the current version."""
        return Put(TOKENS, self.new_version, json.dumps(document), "")

    def copy(self, version_id: str, *, bare: bool = False) -> Put:
        """Return the call that saves an edited copy of a version."""
        document = {**json.loads(self.versions[version_id]), "note": f"edited {self.new_version[:10]}"}
        if bare:
            document.pop("tokenRefresh", None)
        return self.saved(document)

    def put_back(self, version_id: str, name: str) -> Put:
        """Return the call that saves an earlier document again."""
        document = json.loads(self.versions[version_id])
        if name == PUT_BACK_BARE:
            document = {key: document[key] for key in ("accessToken", "refreshToken", "expiresAt")}
        if name == PUT_BACK_SPELLED:
            document = {SPELLINGS.get(key, key): value for key, value in document.items()}
        return self.saved(document)


def actions(scene: Scene) -> list[Action]:
    """Return what the operator may do in this state."""
    return [action for name in scene.scenario.operator for action in _ACTIONS[name](scene, name)]


def _authorize(scene: Scene, name: str) -> Iterator[Action]:
    after, refresh_token = scene.provider.authorize()
    expires_at = max(scene.now, EPOCH_SECONDS) + LIFETIME_SECONDS
    document = first_document(refresh_token.replace("r", "a"), refresh_token, expires_at)
    if name == AUTHORIZE:
        text = scene.versions[scene.current]
        document = authorized(scene.scenario, text, refresh_token, scene.now, lost_claim=scene.lost_claim)
    yield Action(name, scene.saved(document), after)


def _edit(scene: Scene, name: str) -> Iterator[Action]:
    if scene.current in scene.store.locked(scene.state):
        return
    yield Action(name, scene.copy(scene.current, bare=name == EDIT_BARE), scene.provider)


def _copy_back(scene: Scene, name: str) -> Iterator[Action]:
    for back, version_id in enumerate(scene.older_sets(), 1):
        if version_id in scene.store.locked(scene.state):
            continue  # Nobody can read it to copy it.
        copy = scene.copy(version_id, bare=name == COPY_BACK_BARE)
        yield Action(f"{name}: {back} back", copy, scene.provider)


def _move_back(scene: Scene, name: str) -> Iterator[Action]:
    for back, version_id in enumerate(scene.older_sets(), 1):
        yield Action(f"{name}: {back} back", Move(TOKENS, CURRENT, version_id, scene.current), scene.provider)


def _put_back(scene: Scene, name: str) -> Iterator[Action]:
    for version_id in scene.other_sets():
        token = refresh_token_of(scene.versions[version_id])
        call = (
            Move(TOKENS, CURRENT, version_id, scene.current) if name == LABEL_BACK else scene.put_back(version_id, name)
        )
        yield Action(f"{name}: {token}", call, scene.provider)


def _strange(scene: Scene, name: str) -> Iterator[Action]:
    document = first_document("a8.0", STRANGERS, max(scene.now, EPOCH_SECONDS) + LIFETIME_SECONDS)
    yield Action(name, scene.saved(document), scene.provider)


def _unlabel(scene: Scene, name: str) -> Iterator[Action]:
    if CLAIM in scene.labels:
        yield Action(name, Move(TOKENS, CLAIM, None, scene.labels[CLAIM]), scene.provider)


def _move_label(scene: Scene, name: str) -> Iterator[Action]:
    if CLAIM not in scene.labels:
        return
    claims = [v for v, text in scene.versions.items() if '"nonce"' in text and v != scene.labels[CLAIM]]
    for version_id in (*claims[:1], *claims[-1:][len(claims) < 2 :], scene.current):
        yield Action(name, Move(TOKENS, CLAIM, version_id, scene.labels[CLAIM]), scene.provider)


def _stage(scene: Scene, name: str) -> Iterator[Action]:
    document = {**json.loads(scene.versions[scene.current]), "refreshToken": "r9.0"}
    yield Action(name, Put(TOKENS, scene.new_version, json.dumps(document), "AWSPENDING"), scene.provider)


def _spoil(scene: Scene, name: str) -> Iterator[Action]:
    claim_id = claim_version_id(scene.newest_claim)
    if name == SPOIL_CLAIM:
        yield Action(name, Put(TOKENS, claim_id, _GARBAGE, CLAIM), scene.provider, spoils=True)
        return
    staged = name == SPOIL_STAGED
    place = staged_version_id(claim_id, scene.current) if staged else record_version_id(claim_id)
    yield Action(name, Put(TOKENS, place, _GARBAGE, OUTCOME), scene.provider, spoils=True, loses=staged)


def _lose_successor(scene: Scene, name: str) -> Iterator[Action]:
    """Remove stored tokens that follow the current ones: AWS does it when they have no label and 100 are newer.

    Those of the newest claim are its only trace. Without them the claim is like that of a run that died.
    """
    current = refresh_token_of(scene.versions[scene.current])
    for version_id, text in scene.versions.items():
        token = refresh_token_of(text)
        if not token or not current or version_id == scene.current:
            continue
        if token != current and scene.provider.follows(token, current):
            newest = origin_of(text).get("claim") == scene.newest_claim
            yield Action(name, Remove(version_id), scene.provider, loses=True, forgets=newest)


def _lose_table(scene: Scene, name: str) -> Iterator[Action]:
    item = scene.store.table(scene.state).item
    if item is not None:
        yield Action(name, SetTable(None), scene.provider, loses=True, forgets=item.kept_tokens is not None)


def _restore_table(scene: Scene, name: str) -> Iterator[Action]:
    """Restore an item whose number is lower than the current document's, which is always noticed; it takes minutes."""
    number = origin_of(scene.versions[scene.current]).get("number", 0)
    for item in scene.items:
        if isinstance(number, int) and item.number < number:
            present = scene.store.table(scene.state).item
            forgets = present is not None and present.kept_tokens is not None
            yield Action(name, SetTable(item), scene.provider, loses=True, lasts=True, forgets=forgets)


def _lose_key(scene: Scene, name: str) -> Iterator[Action]:
    item = scene.store.table(scene.state).item
    if item is not None and item.kept_tokens is not None:
        yield Action(name, LoseKey(), scene.provider, spoils=True, loses=True)


def _change_key(scene: Scene, name: str) -> Iterator[Action]:
    yield Action(name, ChangeKey(), scene.provider, spoils=True)


def _enable_keys(scene: Scene, name: str) -> Iterator[Action]:
    yield Action(name, EnableKeys(), scene.provider)


def _fill(scene: Scene, name: str) -> Iterator[Action]:
    for free in range(min(scene.store.places(scene.state, scene.now), 6)):
        yield Action(f"{name}: {free}", Fill(free), scene.provider, between_runs=True)


def _fill_labels(scene: Scene, name: str) -> Iterator[Action]:
    for free in range(LABELS_PER_SECRET - len(scene.labels)):
        labels = tuple(f"LABEL-{number}" for number in range(LABELS_PER_SECRET - len(scene.labels) - free))
        yield Action(f"{name}: {free}", FillLabels(scene.new_version, labels), scene.provider, between_runs=True)


def _note(scene: Scene, name: str) -> Iterator[Action]:
    yield Action(name, Put(TOKENS, scene.new_version, "a note", "NOTE"), scene.provider)


_ACTIONS: Final[dict[str, Callable[[Scene, str], Iterator[Action]]]] = {
    REAUTHORIZE: _authorize,
    AUTHORIZE: _authorize,
    EDIT: _edit,
    EDIT_BARE: _edit,
    COPY_BACK: _copy_back,
    COPY_BACK_BARE: _copy_back,
    MOVE_BACK: _move_back,
    PUT_BACK: _put_back,
    PUT_BACK_BARE: _put_back,
    PUT_BACK_SPELLED: _put_back,
    LABEL_BACK: _put_back,
    STRANGE: _strange,
    UNLABEL: _unlabel,
    MOVE_LABEL: _move_label,
    STAGE: _stage,
    SPOIL_CLAIM: _spoil,
    SPOIL_STAGED: _spoil,
    SPOIL_RECORD: _spoil,
    LOSE_SUCCESSOR: _lose_successor,
    LOSE_TABLE: _lose_table,
    RESTORE_TABLE: _restore_table,
    LOSE_KEY: _lose_key,
    CHANGE_KEY: _change_key,
    ENABLE_KEYS: _enable_keys,
    FILL: _fill,
    FILL_LABELS: _fill_labels,
    NOTE: _note,
}
