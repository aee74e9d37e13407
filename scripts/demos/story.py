"""The demo's steps, in order. Each does one thing, and checks everything that it says about it."""

from __future__ import annotations

import contextlib
from concurrent.futures import Future

from demos.scene import Chapter, Scene
from testbed.aws_lambda.function import SCHEDULED_EVENT, Function, Invocation

RACERS = 6
_A_DAY_HOURS = 23  # An access token lives for 24 h and is due 8 h before its end.
_REQUESTS = "refresh requests at the authorization server"
_CURRENT_MOVED = "consumers read a new token set (AWSCURRENT moved)"
_GRANT_LIVES = "the authorization server accepts the refresh token that is stored"


def _authorize(scene: Scene) -> None:
    scene.account.authorize()
    scene.end()
    scene.check("one version is stored, and it is current", 1, len(scene.after))
    scene.check(_GRANT_LIVES, expected=True, actual=scene.account.grant_lives())


def _refresh(scene: Scene) -> None:
    scene.let_hours_pass(_A_DAY_HOURS)
    run = scene.scheduled()
    scene.check("outcome", "refreshed", run.outcome)
    scene.check(_REQUESTS, 1, scene.requests)
    scene.check(_CURRENT_MOVED, expected=True, actual=scene.current_moved)
    scene.check(_GRANT_LIVES, expected=True, actual=scene.account.grant_lives())
    kept = scene.account.current_document().get("team")
    scene.check("a key that the worker doesn't know was kept", "billing", kept)


def _find_fresh(scene: Scene) -> None:
    run = scene.scheduled()
    scene.check("outcome", "fresh", run.outcome)
    scene.check(_REQUESTS, 0, scene.requests)
    scene.check("two calls to Secrets Manager were enough", expected=True, actual=scene.calls <= 2)  # noqa: PLR2004 - as said
    scene.check("no version was written, no label moved", scene.before, scene.after)


def _force(scene: Scene) -> None:
    run = scene.forced()
    scene.check("outcome", "refreshed", run.outcome)
    scene.check(_REQUESTS, 1, scene.requests)
    scene.check(_CURRENT_MOVED, expected=True, actual=scene.current_moved)
    scene.check(_GRANT_LIVES, expected=True, actual=scene.account.grant_lives())


def _race(scene: Scene) -> None:
    with contextlib.ExitStack() as racing:
        functions = [racing.enter_context(scene.account.function()) for _ in range(RACERS)]
        for function in functions:
            function.wait_until_ready()
        scene.let_hours_pass(_A_DAY_HOURS)
        pending = [function.begin(SCHEDULED_EVENT) for function in functions]
        runs = [scene.note(f"run {number}", run.result()) for number, run in enumerate(pending, 1)]
    outcomes = [run.outcome for run in runs]
    scene.check(_REQUESTS, 1, scene.requests)
    scene.check("runs that ended as refreshed", 1, outcomes.count("refreshed"))
    sent_nothing = sum(outcomes.count(outcome) for outcome in ("yielded", "fresh", "recovered"))
    scene.check("runs that sent nothing: yielded, fresh, or recovered what that one stored", RACERS - 1, sent_nothing)
    scene.check(_GRANT_LIVES, expected=True, actual=scene.account.grant_lives())


def _kill(scene: Scene) -> None:
    with scene.account.function() as function:
        scene.let_hours_pass(_A_DAY_HOURS)
        pending, staged = _kill_once_staged(scene, function)
        run = scene.note("scheduled run", pending.result())
    scene.check("the run had staged its tokens when it was killed", expected=True, actual=staged)
    scene.check("outcome", "Runtime.ExitError", run.outcome)
    scene.check(_REQUESTS, 1, scene.requests)
    scene.check("the received token set is stored, beside the current one", 1, len(_new_token_sets(scene)))
    scene.check("consumers still read the old one (AWSCURRENT stayed)", expected=False, actual=scene.current_moved)


def _kill_once_staged(scene: Scene, function: Function) -> tuple[Future[Invocation], bool]:
    """Begin a run, hold the reply to the write that stages its tokens, and kill the process there."""
    store = scene.account.store
    # The first write is the claim, the second the staged token set.
    hold = store.fault("hold_after", "PutSecretValue", nth=2)
    pending = function.begin(SCHEDULED_EVENT)
    while not (staged := hold.reached.wait(0.05)) and not pending.done():
        pass
    function.kill()
    store.faults.clear()
    return pending, staged


def _new_token_sets(scene: Scene) -> list[str]:
    return [v.short_id for v in scene.after.values() if v.kind == "token set" and v.version_id not in scene.before]


def _recover(scene: Scene) -> None:
    staged = [version.short_id for version in scene.before.values() if version.kind == "token set"][-1]
    run = scene.scheduled()
    scene.check("outcome", "recovered", run.outcome)
    scene.check(_REQUESTS, 0, scene.requests)
    scene.check("what had been staged is current", staged, scene.labelled("AWSCURRENT"))
    scene.check(_GRANT_LIVES, expected=True, actual=scene.account.grant_lives())


def _revoke(scene: Scene) -> None:
    scene.account.provider.revoke()
    scene.let_hours_pass(_A_DAY_HOURS)
    first = scene.scheduled("first run")
    scene.check("the first run's error", "ReauthorizationRequired", first.outcome)
    scene.check(_REQUESTS, 1, scene.requests)
    second = scene.scheduled("second run")
    scene.check("the second run's error", "ReauthorizationRequired", second.outcome)
    scene.check("still only one request: a dead grant is not tried again", 1, scene.requests)
    scene.check("nothing that consumers read was touched", expected=False, actual=scene.current_moved)


def _reauthorize(scene: Scene) -> None:
    scene.account.authorize()
    scene.begin()
    after = scene.scheduled("next run")
    scene.check("outcome of the next run", "fresh", after.outcome)
    scene.let_hours_pass(_A_DAY_HOURS)
    later = scene.scheduled("run a day later")
    scene.check("outcome of the run a day later", "refreshed", later.outcome)
    scene.check(_REQUESTS, 1, scene.requests)
    scene.check(_GRANT_LIVES, expected=True, actual=scene.account.grant_lives())


def _keep_secret(scene: Scene) -> None:
    printed = scene.everything_printed()
    found = sum(value in printed for value in scene.account.secrets)
    sought = len(scene.account.secrets)
    scene.check(f"{sought} tokens and client secrets were searched for", expected=True, actual=bool(sought))
    scene.check("of these were found", 0, found)


STORY = (
    Chapter(
        title="A person authorizes once",
        why="A user consents in the browser, and the tokens are stored as the secret's first version. No person is "
        "needed from here on.",
        play=_authorize,
    ),
    Chapter(
        title="A scheduled run refreshes",
        why="The access token is due. The run first stores a claim: a version of the secret that gives this run alone "
        "the right to redeem the refresh token. Then it redeems, stores the new tokens, and makes them current.",
        play=_refresh,
    ),
    Chapter(
        title="The next run finds the token fresh",
        why="Most runs are like this one: it reads, nothing is due, and it calls neither provider nor secret again.",
        play=_find_fresh,
    ),
    Chapter(
        title="A person forces a run",
        why="New tokens are wanted now, say after a leak. A forced run takes the same safe path.",
        play=_force,
    ),
    Chapter(
        title="Six runs start at once",
        why="Schedules overlap, or Lambda retries. Many providers revoke the whole grant when a refresh token is used "
        "twice. Exactly one run gets the claim and redeems; the others leave it to that one.",
        play=_race,
    ),
    Chapter(
        title="A run is killed halfway",
        why="A run redeems the refresh token and stores the new tokens; before it can make them current, the process "
        "gets SIGKILL. Tokens that were in memory alone would be lost.",
        play=_kill,
    ),
    Chapter(
        title="The next run recovers",
        why="It finds the stored tokens and makes them current, without a request to the provider.",
        play=_recover,
    ),
    Chapter(
        title="The grant is revoked",
        why="The user withdraws consent at the provider. The run stores a record, a version that says how its attempt "
        "ended, and fails with what a person has to do. The next run reads the record and sends no request.",
        play=_revoke,
    ),
    Chapter(
        title="A person authorizes again",
        why="The new tokens are stored as a new version, and nothing has to be reset. The next run finds them fresh, "
        "and a day later they are refreshed as ever.",
        play=_reauthorize,
    ),
    Chapter(
        title="No secret was printed",
        why="Every token and client secret that ever existed is searched for in everything that this demo and the runs "
        "printed, log lines included.",
        play=_keep_secret,
    ),
)
