"""The demo's steps, in order. Each does one thing and checks all that it says about it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from demos.scene import Chapter, Scene
from testbed.aws_lambda.function import SCHEDULED_EVENT

if TYPE_CHECKING:
    from testbed.gate import Call

RACERS = 6
_A_DAY_HOURS = 23  # An access token lives for 24 h and is due 8 h before its end.
_REQUESTS = "refresh requests at the authorization server"
_CURRENT_MOVED = "consumers read a new token set (AWSCURRENT moved)"
_GRANT_LIVES = "the authorization server takes the refresh token that is stored"


def _authorize(scene: Scene) -> None:
    scene.world.authorize()
    scene.end()
    scene.check("one version is stored, and it is current", 1, len(scene.after))
    scene.check(_GRANT_LIVES, expected=True, actual=scene.world.grant_lives())


def _refresh(scene: Scene) -> None:
    _let_a_day_pass(scene)
    run = scene.scheduled()
    scene.check("outcome", "refreshed", run.outcome)
    scene.check(_REQUESTS, 1, scene.requests)
    scene.check(_CURRENT_MOVED, expected=True, actual=scene.current_moved)
    scene.check(_GRANT_LIVES, expected=True, actual=scene.world.grant_lives())
    kept = scene.world.current_document().get("team")
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
    scene.check(_GRANT_LIVES, expected=True, actual=scene.world.grant_lives())


def _race(scene: Scene) -> None:
    with contextlib.ExitStack() as racing:
        functions = [racing.enter_context(scene.world.function()) for _ in range(RACERS)]
        for function in functions:
            function.wait_until_ready()
        _let_a_day_pass(scene)
        pending = [function.begin(SCHEDULED_EVENT) for function in functions]
        runs = [scene.note(f"run {number}", run.result()) for number, run in enumerate(pending, 1)]
    outcomes = [run.outcome for run in runs]
    scene.check(_REQUESTS, 1, scene.requests)
    scene.check("runs that ended as refreshed", 1, outcomes.count("refreshed"))
    left_alone = outcomes.count("yielded") + outcomes.count("fresh")
    scene.check("runs that left it to that one (yielded, or fresh once it was done)", RACERS - 1, left_alone)
    scene.check(_GRANT_LIVES, expected=True, actual=scene.world.grant_lives())


def _kill(scene: Scene) -> None:
    def stages(call: Call) -> bool:
        return call.action == "PutSecretValue" and "AWSPENDING" in call.labels

    gate = scene.world.gate
    with scene.world.function() as function:
        _let_a_day_pass(scene)
        gate.hold_reply(to=stages)
        pending = function.begin(SCHEDULED_EVENT)
        staged = gate.wait_until_held(unless=pending.done)
        function.kill()
        gate.release()
        run = scene.note("scheduled run", pending.result())
    scene.check("the run had staged its tokens when it was killed", expected=True, actual=staged)
    scene.check("outcome", "Runtime.ExitError", run.outcome)
    scene.check(_REQUESTS, 1, scene.requests)
    scene.check(
        "the received token set is stored (AWSPENDING)", expected=True, actual=bool(scene.labelled("AWSPENDING"))
    )
    scene.check("consumers still read the old one (AWSCURRENT stayed)", expected=False, actual=scene.current_moved)


def _recover(scene: Scene) -> None:
    staged = scene.labelled("AWSPENDING")
    run = scene.scheduled()
    scene.check("outcome", "recovered", run.outcome)
    scene.check(_REQUESTS, 0, scene.requests)
    scene.check("what had been staged is current", staged, scene.labelled("AWSCURRENT"))
    scene.check("nothing is left pending", None, scene.labelled("AWSPENDING"))
    scene.check(_GRANT_LIVES, expected=True, actual=scene.world.grant_lives())


def _revoke(scene: Scene) -> None:
    scene.world.provider.revoke()
    _let_a_day_pass(scene)
    first = scene.scheduled("first run")
    scene.check("the first run's error", "ReauthorizationRequired", first.outcome)
    scene.check(_REQUESTS, 1, scene.requests)
    second = scene.scheduled("second run")
    scene.check("the second run's error", "ReauthorizationRequired", second.outcome)
    scene.check("still only one request: a dead grant is not asked about again", 1, scene.requests)
    scene.check("nothing that consumers read was touched", expected=False, actual=scene.current_moved)


def _reauthorize(scene: Scene) -> None:
    scene.world.authorize()
    scene.begin()
    after = scene.scheduled("next run")
    scene.check("outcome of the next run", "fresh", after.outcome)
    _let_a_day_pass(scene)
    later = scene.scheduled("run a day later")
    scene.check("outcome of the run a day later", "refreshed", later.outcome)
    scene.check(_REQUESTS, 1, scene.requests)
    scene.check(_GRANT_LIVES, expected=True, actual=scene.world.grant_lives())


def _keep_secret(scene: Scene) -> None:
    printed = scene.everything_printed()
    found = sum(value in printed for value in scene.world.secrets)
    sought = len(scene.world.secrets)
    scene.check(f"{sought} tokens and client secrets were looked for", expected=True, actual=bool(sought))
    scene.check("of these were found", 0, found)


def _let_a_day_pass(scene: Scene) -> None:
    scene.world.let_hours_pass(_A_DAY_HOURS)
    scene.begin()


STORY = (
    Chapter(
        title="A person authorizes once",
        why="A user consents in the browser, and the token set that comes of it is stored as the secret's first "
        "version. From here on no person is needed.",
        play=_authorize,
    ),
    Chapter(
        title="A scheduled run refreshes",
        why="23 hours later the access token is due. The run claims the right to redeem the refresh token, redeems it "
        "once, stages the answer, and only then makes it current.",
        play=_refresh,
    ),
    Chapter(
        title="The next run finds the token fresh",
        why="Most runs are like this one: it reads, sees that nothing is due, and leaves provider and secret alone.",
        play=_find_fresh,
    ),
    Chapter(
        title="A person forces a run",
        why="Sometimes new tokens are wanted now, say after a leak. A forced run goes the same safe way.",
        play=_force,
    ),
    Chapter(
        title="Six runs start at once",
        why="A day later schedules overlap, or Lambda retries. Many providers revoke the whole grant when a refresh "
        "token is used twice; here exactly one run redeems it, and the others leave it to that one.",
        play=_race,
    ),
    Chapter(
        title="A run is killed halfway",
        why="A day later a run redeems the refresh token and stages the answer; before it can do more, the process "
        "gets SIGKILL. The new tokens would be lost if they were in memory alone.",
        play=_kill,
    ),
    Chapter(
        title="The next run recovers",
        why="It finds the staged token set and makes it current, without asking the provider for anything.",
        play=_recover,
    ),
    Chapter(
        title="The grant is revoked",
        why="The user withdraws consent at the provider. The run that is due a day later fails and says what a person "
        "has to do; the runs after it fail without bothering the provider again.",
        play=_revoke,
    ),
    Chapter(
        title="A person authorizes again",
        why="The new token set is stored as a new version, and that is all: nothing has to be reset. The next run is "
        "content, and a day later the tokens are refreshed as ever.",
        play=_reauthorize,
    ),
    Chapter(
        title="No secret was shown",
        why="Every token and client secret that there was is looked for in all that this demo and the runs printed, "
        "their log lines included.",
        play=_keep_secret,
    ),
)
