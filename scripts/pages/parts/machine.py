"""What `--json` prints: the names of the fields are the code's, and each has its words here."""

import ast
import inspect
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Final, get_args

from pages.docstrings import attributes, listed, words
from token_refresh_admin.changes.past import TokenUse, VersionKind
from token_refresh_admin.cli import history as history_command
from token_refresh_admin.cli import status as status_command
from token_refresh_admin.cli.doctor import command as doctor_command
from token_refresh_admin.cli.fleet import view as fleet_view
from token_refresh_admin.cli.health import name_of_step
from token_refresh_admin.cli.state import ATTEMPTS_LISTED, AttemptResult
from token_refresh_worker.core.attempts import Fate
from token_refresh_worker.core.steps import Action, Rest
from token_refresh_worker.stored.origin import in_table

STATUS: Final = {
    "health": "`healthy`, `attention`, `broken` or `unknown`; the exit status is 0, 1, 2 or 3.",
    "secret_id": "The secret, as you named it.",
    "region": "Its region.",
    "version_id": "The version with `AWSCURRENT`.",
    "labels[]": "That version's labels.",
    "stored_at": "When that version was stored.",
    "expires_at": "When the access token expires; null if nobody knows.",
    "seconds_to_expiry": "How long it still lives; negative if it has expired.",
    "due_at": "From when on runs refresh it; null if a refresh is due now.",
    "longest_safe_cache_seconds": "How long a cache may keep the token without a look at its expiry.",
    "grant_ends_at": "When the grant ends unless a refresh prolongs it; null if nobody knows.",
    "next_step": "What the next scheduled run does first (see below); null if the settings aren't proven.",
    "retry_at": "Until when runs wait; null if they don't.",
    "findings[]": "What is wrong; empty if nothing is.",
    "findings[].health": "How bad it is: `attention`, `broken` or `unknown`.",
    "findings[].text": "What it is.",
    "findings[].remedy": "What to do, mostly a command.",
    "scopes_lost": "How many scopes the grant has lost.",
    "paused": "Null without a pause.",
    "paused.until": "When the pause ends.",
    "paused.why": "Its reason.",
    "provider": "The profile's name.",
    "host": "The host that the refresh token belongs to.",
    "grace_seconds": "How long the provider accepts a used refresh token again; 0: it works once.",
    "claims.store": "`versions` of the secret, or a `table`.",
    "claims.table": "The table's name; left out for `versions`.",
    "claims.number": "The number of the newest claim.",
    "claims.used": "How many claims the last day has.",
    "claims.limit": "How many it may have.",
    "attempts[]": f"The last {ATTEMPTS_LISTED} attempts to refresh, the newest first.",
    "attempts[].claimed_at": "When the attempt stored its claim.",
    "attempts[].claim_id": "That claim: `refresh --resend` and `recover --claim` take it.",
    "attempts[].attempt": "Which attempt on the same token set it was, from 1.",
    "attempts[].forced": "Whether somebody forced it.",
    "attempts[].result": "How it ended (see below).",
    "attempts[].error": "The provider's error code, or what failed; null if nothing did.",
    "attempts[].version_id": "The version with the tokens that it received; null if it has none.",
    "published": "Null where no copy is published.",
    "published.secret_id": "The copy's name.",
    "published.lags": "Whether it is of another version than the current one.",
    "published.overwritten": "Whether something else was saved over it.",
    "replicas[]": "The copy's replicas; null if you may not look.",
    "replicas[].region": "The replica's region.",
    "replicas[].status": "`InSync`, `InProgress`, `Failed`, or `Gone` if Secrets Manager lists it no more.",
}
DOCTOR: Final = {
    "failed": "How many checks failed; the exit status is 1 if any did.",
    "checks[]": "Every check, in the order in which to repair.",
    "checks[].name": "What was checked, such as `client credentials`.",
    "checks[].grade": "`ok`, `look` (soon), `failed`, or `skipped` (it could not be checked).",
    "checks[].text": "What was found.",
    "checks[].remedy": "What to do, mostly a command; null if nothing.",
}
HISTORY: Final = {
    "secret_id": "The secret, as you named it.",
    "versions[]": "Its versions, the newest first; with `--all` also claims and records without a label.",
    "versions[].version_id": "The version.",
    "versions[].stored_at": "When it was stored.",
    "versions[].labels[]": "Its labels.",
    "versions[].kind": "What it is (see below).",
    "versions[].fate": "What became of the refresh token that it holds, or that the claim redeems (see below).",
    "kept_since": "Since when the claim table keeps tokens that Secrets Manager refused; left out if it keeps none.",
}
FLEET: Final = {
    "fleet": "The fleet's name.",
    "health": "As for `status`.",
    "secrets": "How many secrets these options select.",
    "states": "How many of them are in each [state](fleet.md#look-and-pause).",
    "findings[]": "What is wrong; empty if nothing is.",
    "findings[].health": "How bad it is.",
    "findings[].text": "What it is.",
    "breakers": "The open circuit breakers by name, each with its reason.",
    "dispatched_at": "When the dispatcher last reported.",
    "unheard_since": "Since when no run reports; null if runs do.",
    "expired": "How many access tokens have expired.",
    "copies": "How many copies are in each state; left out without copies.",
    "copies_seen_at": "Since when all of them were looked at.",
    "pauses[]": "The pauses in force.",
    "pauses[].of": "What is paused.",
    "pauses[].until": "When the pause ends.",
    "pauses[].by": "Who paused it.",
    "pauses[].why": "The reason.",
    "pauses[].expire_first": "How many access tokens expire before it ends.",
    "pauses[].first": "The secret whose token expires first.",
    "pauses[].first_expires_at": "When it expires.",
    "rows[]": "The secrets, the most urgent first. A row leaves out what it doesn't know.",
    "rows[].secret_id": "Its ARN.",
    "rows[].provider": "Its provider.",
    "rows[].state": "Its state.",
    "rows[].since": "Since when it is in that state.",
    "rows[].next_at": "When the dispatcher looks at it again.",
    "rows[].expires_at": "When its access token expires.",
    "rows[].due_at": "From when on it is refreshed.",
    "rows[].last_run_at": "When its last run ended.",
    "rows[].last_success_at": "When a run last succeeded.",
    "rows[].outcome": "The last run's [outcome](configuration.md#outcomes).",
    "rows[].error_type": "The last run's [error](configuration.md#errors).",
    "rows[].failures": "How many runs failed in a row.",
    "rows[].version_id": "The version with its tokens.",
    "rows[].grant_ends_at": "When its grant ends unless a refresh prolongs it.",
    "rows[].copy": "How its copy is.",
    "rows[].copy_behind_at": "Since when the copy is behind.",
    "rows[].copy_error_type": "Why the copy could not be written.",
    "rows[].paused_until": "When its pause ends.",
    "rows[].paused_by": "Who paused it.",
    "rows[].pause_reason": "Why.",
    "left[]": "Who left the fleet within a week.",
    "left[].secret_id": "Its ARN.",
    "left[].provider": "Its provider.",
    "left[].left_at": "When it left.",
    "left[].removed": "Whether `fleet remove` took it out; if not, its tag or the secret vanished.",
}
_WITHOUT_DOCSTRING: Final = {
    Fate.NOT_REDEEMED: "The provider did not use the refresh token: it still works.",
    Fate.REJECTED: "The provider rejected the refresh token.",
    AttemptResult.REFRESHED: "It received tokens, and they were made current.",
    AttemptResult.IN_PROGRESS: "A run is under way.",
    TokenUse.UNUSED: "No attempt used it.",
    TokenUse.REDEEMED: "An attempt exchanged it for new tokens.",
    TokenUse.REJECTED: "The provider rejected it.",
}


def status() -> str:
    """Return the fields of `status --json`."""
    named = [*_members(status_command, "_read"), *_members(status_command, "state_fields")]
    return _described("status", STATUS, named)


def doctor() -> str:
    """Return the fields of `doctor --json`."""
    # The list has a name before it is printed; what else there is belongs to each check.
    of_all = {"failed": "failed", "checks": "checks[]"}
    return _described("doctor", DOCTOR, [of_all.get(n, f"checks[].{n}") for n in _members(doctor_command, "doctor")])


def history() -> str:
    """Return the fields of `history --json`."""
    versions = [f"versions[].{name}" for name in _members(history_command, "_as_fields")]
    # A label is in a call there, and no list that the code writes out.
    versions = [name + "[]" * name.endswith(".labels") for name in versions]
    return _described("history", HISTORY, [*_members(history_command, "history"), *versions])


def fleet() -> str:
    """Return the fields of `fleet status --json`."""
    rows = [f"rows[].{name}" for name in _members(fleet_view, "_fields")]
    return _described("fleet status", FLEET, [*_members(fleet_view, "as_fields"), *rows])


def steps() -> str:
    """Return the values of `next_step`."""
    kinds = [kind for union in (Action, Rest) for kind in get_args(union)]
    return listed(*((f"`{name_of_step(kind)}`", words(kind).meaning) for kind in kinds))


def results() -> str:
    """Return the values of an attempt's `result`: what `status` says, and else what is stored."""
    stored = [fate for fate in Fate if fate is not Fate.STORED]
    return _values(AttemptResult, *AttemptResult) + "\n" + _values(Fate, *stored)


def fates() -> str:
    """Return the values of `fate`."""
    of_claims = _values(Fate, *Fate)
    return f"Of a token set:\n\n{_values(TokenUse, *TokenUse)}\n\nOf a claim or a record:\n\n{of_claims}"


def kinds() -> str:
    """Return the values of `kind`."""
    return listed(*((f"`{kind.name.lower()}`", f"{kind.value[0].upper()}{kind.value[1:]}.") for kind in VersionKind))


def _values(kind: type, *values: Fate | AttemptResult | TokenUse) -> str:
    docs = attributes(kind)
    return listed(
        *((f"`{one.value}`", docs[one.name].meaning if one.name in docs else _WITHOUT_DOCSTRING[one]) for one in values)
    )


def _described(command: str, described: Mapping[str, str], named: list[str]) -> str:
    missing, gone = set(named) - set(described), set(described) - set(named)
    if missing or gone:
        what = f"write words for {sorted(missing)}, and remove {sorted(gone)}"
        raise ValueError(f"{command} --json: {what}, in {__file__}")
    return listed(*((f"`{name}`", words) for name, words in described.items()))


def _members(module: ModuleType, function: str) -> Iterator[str]:
    """Yield the names of the objects that a function writes, `list[].member` and `object.member` for those within."""
    body = ast.parse(inspect.getsource(module)).body
    found = next(node for node in body if isinstance(node, ast.FunctionDef) and node.name == function)
    for node in ast.walk(found):
        match node:  # fields["name"] = ...
            case ast.Assign(targets=[ast.Subscript(slice=ast.Constant(value=str() as name))]):
                yield name
    yield from dict.fromkeys(_names(found))


def _names(node: ast.AST, prefix: str = "") -> Iterator[str]:
    if not isinstance(node, ast.Dict):
        for child in ast.iter_child_nodes(node):
            yield from _names(child, prefix)
        return
    for key, value in zip(node.keys, node.values, strict=True):
        match key, value:
            case None, ast.Call(func=ast.Attribute(attr="as_fields")):
                yield from (prefix + name for name in in_table("").as_fields() | in_table("name").as_fields())
            case None, _:
                yield from _names(value, prefix)
            case ast.Constant(value=str() as name), _:
                inner = list(_names(value, prefix + name + ("[]" if _is_list(value) else "") + "."))
                # An object that is always there needs no line of its own.
                if not inner or _is_list(value) or isinstance(value, ast.IfExp):
                    yield prefix + name + ("[]" if _is_list(value) else "")
                yield from inner


def _is_list(node: ast.expr) -> bool:
    match node:
        case ast.IfExp(body=body, orelse=other):
            return _is_list(body) or _is_list(other)
        case ast.Call(func=ast.Name(id="sorted")):
            return True
        case _:
            return isinstance(node, ast.List | ast.ListComp)
