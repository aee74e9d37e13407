"""The demo's steps, in order. Each does one thing, and checks everything that it says about it."""

import contextlib
from concurrent.futures import Future

from demos.account import Account
from demos.scene import Chapter, Ran, Scene
from testbed.aws.faults import Action
from testbed.aws_lambda.function import SCHEDULED_EVENT, Function, Invoked

RACERS = 6
_A_DAY_HOURS = 23  # An access token lives for 24 h and is due 8 h before its end.
_JUST_DUE_HOURS = 17  # Early enough that only a provider's grace lets the next run repeat a request.
_REQUESTS = "refresh requests at the authorization server"
_CURRENT_MOVED = "consumers read a new token set (AWSCURRENT moved)"
_KILLED = "what Lambda reports of a process that was killed"
_GRANT_LIVES = "the authorization server accepts the refresh token that is stored"


def _authorize(scene: Scene) -> None:
    scene.account.authorize()
    scene.end()
    scene.check("versions of the secret", 1, len(scene.after))
    scene.check("it is the current one (AWSCURRENT)", expected=True, actual=scene.labelled("AWSCURRENT") is not None)
    scene.check(_GRANT_LIVES, expected=True, actual=scene.account.grant_lives())


def _check_refreshed(scene: Scene, run: Ran) -> None:
    scene.check("outcome", "refreshed", run.outcome)
    scene.check(_REQUESTS, 1, scene.requests)
    scene.check(_CURRENT_MOVED, expected=True, actual=scene.current_moved)
    scene.check(_GRANT_LIVES, expected=True, actual=scene.account.grant_lives())


def _refresh(scene: Scene) -> None:
    scene.let_hours_pass(_A_DAY_HOURS)
    _check_refreshed(scene, scene.scheduled())
    kept = scene.account.current_document().get("team")
    scene.check("a key that the worker doesn't know was kept", "billing", kept)


def _find_fresh(scene: Scene) -> None:
    run = scene.scheduled()
    scene.check("outcome", "fresh", run.outcome)
    scene.check(_REQUESTS, 0, scene.requests)
    scene.check("calls to Secrets Manager", 2, scene.calls)
    scene.check("no version was written, no label moved", scene.before, scene.after)


def _force(scene: Scene) -> None:
    _check_refreshed(scene, scene.forced())


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
        pending, staged = kill_when_it_stores(scene.account, function, "hold_after")
        run = scene.note("scheduled run", pending.result())
    scene.check("the run had stored its tokens when it was killed", expected=True, actual=staged)
    scene.check(_KILLED, "Runtime.ExitError", run.outcome)
    scene.check(_REQUESTS, 1, scene.requests)
    scene.check("the received token set is stored, beside the current one", 1, len(_new_token_sets(scene)))
    scene.check("consumers still read the old one (AWSCURRENT stayed)", expected=False, actual=scene.current_moved)


def kill_when_it_stores(
    account: Account, function: Function, hold: Action, *, write: int = 2
) -> tuple[Future[Invoked], bool]:
    """Begin a run, hold the write of its new tokens before or after it is applied, and kill the process there.

    `write` is the number of that write: the worker's first one is its claim.
    """
    held = account.store.fault(hold, "PutSecretValue", nth=write)
    pending = function.begin(SCHEDULED_EVENT)
    while not (reached := held.reached.wait(0.05)) and not pending.done():
        pass
    function.kill()
    account.store.faults.clear()
    return pending, reached


def _new_token_sets(scene: Scene) -> list[str]:
    return [v.short_id for v in scene.after.values() if v.kind == "token set" and v.version_id not in scene.before]


def _recover(scene: Scene) -> None:
    staged = [version.short_id for version in scene.before.values() if version.kind == "token set"][-1]
    run = scene.scheduled()
    scene.check("outcome", "recovered", run.outcome)
    scene.check(_REQUESTS, 0, scene.requests)
    scene.check("what that run had stored is current", staged, scene.labelled("AWSCURRENT"))
    scene.check(_GRANT_LIVES, expected=True, actual=scene.account.grant_lives())


def _kill_before_storing(scene: Scene) -> None:
    with scene.account.function() as function:
        scene.let_hours_pass(_JUST_DUE_HOURS)
        pending, received = kill_when_it_stores(scene.account, function, "hold_before")
        run = scene.note("scheduled run", pending.result())
    scene.check("the run had received new tokens when it was killed", expected=True, actual=received)
    scene.check(_KILLED, "Runtime.ExitError", run.outcome)
    scene.check(_REQUESTS, 1, scene.requests)
    scene.check("new token sets that are stored", 0, len(_new_token_sets(scene)))


def _repeat(scene: Scene) -> None:
    scene.let_hours_pass(1)
    _check_refreshed(scene, scene.scheduled())


def _revoke(scene: Scene) -> None:
    scene.account.provider.revoke()
    scene.let_hours_pass(_A_DAY_HOURS)
    first = scene.scheduled("first run")
    scene.check("the first run's error", "ReauthorizationRequired", first.outcome)
    sent = scene.requests
    scene.check(_REQUESTS, 1, sent)
    second = scene.scheduled("second run")
    scene.check("the second run's error", "ReauthorizationRequired", second.outcome)
    scene.check(
        "the second run sent nothing: a rejected token is tried again after an hour, then after a day",
        expected=True,
        actual=scene.requests == sent,
    )
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


SCENARIO = (
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
        why="Most runs are like this one: it reads the secret and its claim, nothing is due, and it stops.",
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
        "twice. Exactly one run gets the claim and redeems. The others yield: they send nothing, and say when that "
        "claim ends and another run may try. A run that reads late may find the new tokens already.",
        play=_race,
    ),
    Chapter(
        title="A run is killed halfway",
        why="A run redeems the refresh token and stores the new tokens; before it can make them current, the process "
        "gets SIGKILL.",
        play=_kill,
    ),
    Chapter(
        title="The next run recovers",
        why="It finds the stored tokens and makes them current, without a request to the provider.",
        play=_recover,
    ),
    Chapter(
        title="A run is killed before it can store",
        why="A run redeems the refresh token, and the process gets SIGKILL before the new tokens are stored. They were "
        "in its memory only. At a single-use provider the grant would be lost here: that is the one window.",
        play=_kill_before_storing,
    ),
    Chapter(
        title="The next run repeats the request",
        why="The claim shows that a request may have been sent. Upwork accepts a used refresh token for a day, so this "
        "run sends the same one again. At a single-use provider it would wait, and raise an alarm.",
        play=_repeat,
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
