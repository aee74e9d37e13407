"""What a reader does, as data that readers in other languages pass too: `python -m reader.vectors` writes them.

Each vector is a list of steps, taken with one reader of one secret, from Unix time 1,800,000,000 on. `chance` is 0.5.

    {"do": "store", "text": ..., "version": ...}       another version is current
    {"do": "fail", "code": ..., "message": ...}        GetSecretValue ends with this error; without a code: no longer
    {"do": "pass", "seconds": ...}                     the clock goes on, or back
    {"do": "get", "token" or "error": ..., "reads": n, "health": [seconds to expiry, age in seconds, last error]}
    {"do": "reject", "token": ..., "gives": true or false, "reads": n}
    {"do": "extra", "is": {...}}                       what the current token's `extra` holds
    {"do": "finish", "reads": n}                       reads that run in the background end
    {"do": "refresh", "text": ..., "version": ...}     what a run of the worker stores, if the reader asks for one

`max_age` is in seconds. With `asks`, the reader has a `refresh_function`, and each step counts its `runs`.

`reads` counts the calls of GetSecretValue in this step. With `background`, a read ahead begins with the call of a step
`get`, and reads what is stored at the next `finish`; a read that was given up ends there, too, before the newer one. A
caller that has to wait lets the read that it waits for end.

The file has fixed seeds. Each run of the tests adds random ones, and each night many more of them.
"""

import json
import random
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any, Final, TypeVar, cast
from unittest.mock import patch

from reader import secret_vectors
from reader.odd_documents import odd_document
from reader.secret_vectors import CODES, STEPS, Stage
from testbed.reader_surroundings import runtime
from token_refresh.errors import TokenRefreshError
from token_refresh.reader import TokenReader
from token_refresh.reader.fetch import Fetch

T = TypeVar("T")

FILE: Final = Path(__file__).parents[2] / "reader-typescript" / "test" / "vectors.json"
SEEDS: Final = range(60)
_CODES: Final = (*CODES, ("InternalServiceError", ""))
_OTHER_CODES: Final = (
    (
        "ResourceNotFoundException",
        "Secrets Manager can't find the specified secret value for staging label: AWSCURRENT",
    ),
    ("InvalidRequestException", "You can't perform this operation on the secret because it was marked for deletion."),
    ("InvalidRequestException", "You can't enable rotation."),
    ("AccessDeniedException", "Access to KMS is not allowed"),
    ("DecryptionFailure", ""),
    ("ExpiredTokenException", ""),
    ("Unheard-of: \n", ""),
)
_WRONG_TIMES: Final = """
    2027-02-30T09:00:00Z 2027-02-29 2027-04-31T09:00:00Z 2027-13-01T09:00:00Z 2027-01-15T24:00:00Z
    2027-01-15T09:00:60Z 2027-01-15T09:60:00Z 2027-01-15T09Z 20270115T090000Z 2027-W02-5T09:00:00Z
    2027-015T09:00:00Z 2027-01-15t09:00:00z 2027-01-15_09:00:00Z 2027-01-15T09:00:00,5Z 2027-01-15T09:00:00.Z
    2027-01-15T09:00:00.1234567890Z 2027-01-15T09:00:00+24:00 2027-01-15T09:00:00+01:00:30
    0099-01-15T09:00:00Z 2027-01-15Z
"""
_WRONG: Final = {
    "no JSON": "not JSON",
    "a list": "[]",
    "empty": "{}",
    "no expiry": '{"accessToken": "a"}',
    "both spellings": '{"accessToken": "a", "expires_at": 1800003600}',
    "before 1973": '{"accessToken": "a", "expiresAt": 99999999}',
    "after 5138": '{"accessToken": "a", "expiresAt": 100000000000000}',
    "few digits": '{"accessToken": "a", "expiresAt": "99999999"}',
    "many digits": '{"accessToken": "a", "expiresAt": "100000000000000"}',
    "a sign before digits": '{"accessToken": "a", "expiresAt": "+1800003600"}',
    "a space after digits": '{"accessToken": "a", "expiresAt": "1800003600 "}',
    "an exponent in text": '{"accessToken": "a", "expiresAt": "1.8000036e12"}',
    "true": '{"accessToken": "a", "expiresAt": true}',
    "no time": '{"access_token": "a", "expires_at": "tomorrow"}',
    "a number for a token": '{"accessToken": 1, "expiresAt": 1800003600000}',
    "a space at the end": '{"accessToken": "a ", "expiresAt": 1800003600000}',
    "null for a token": '{"accessToken": null, "expiresAt": 1800003600000}',
    "NaN": '{"accessToken": "a", "expiresAt": NaN}',
    "a number that no double holds": '{"accessToken": "a", "expiresAt": 1800003600000, "x": 1e400}',
    "nested deeper than 64 levels": f'{{"accessToken": "a", "expiresAt": 1800003600000, "x": {"[" * 64}{"]" * 64}}}',
} | {
    f"the time {time}": json.dumps({"accessToken": "a", "expiresAt": time})
    for time in (*_WRONG_TIMES.split(), "2027-01-15T09:00:00 Z", "2027-01-15T09:00:00Z\n")
}
_RIGHT: Final = (
    {
        "snake": '{"access_token": "a", "expires_at": 1800003600, "client_id": "c"}',
        "seconds": '{"accessToken": "a", "expiresAt": 1800003600}',
        "milliseconds": '{"access_token": "a", "expires_at": 1800003600000}',
        "milliseconds that are no whole seconds": '{"access_token": "a", "expires_at": 1800003600999}',
        "a fraction": '{"access_token": "a", "expires_at": 1800003600.9}',
        "a fraction of a millisecond": '{"access_token": "a", "expires_at": 1800003600999.9}',
        "an exponent": '{"accessToken": "a", "expiresAt": 1.8000036e12}',
        "a point": '{"accessToken": "a", "expiresAt": 1800003600000.0}',
        "digits": '{"accessToken": "a", "expiresAt": "1800003600"}',
        "digits of milliseconds": '{"accessToken": "a", "expiresAt": "1800003600000"}',
        "digits with a point": '{"access_token": "a", "expires_at": "1800003600.999999999"}',
        "the last second": '{"accessToken": "a", "expiresAt": 99999999999.9}',
        "the last millisecond": '{"accessToken": "a", "expiresAt": 99999999999999}',
        "ISO 8601": '{"accessToken": "a", "expiresAt": "2027-01-15T09:00:00Z"}',
        "ISO 8601 with an offset": '{"accessToken": "a", "expiresAt": "2027-01-15T10:00:00+01:00"}',
        "ISO 8601 without a zone": '{"access_token": "a", "expires_at": "2027-01-15T09:00:00"}',
        "nested in 64 levels": f'{{"accessToken": "a", "expiresAt": 1800003600000, "x": {"[" * 63}{"]" * 63}}}',
    }
    | {
        f"the time {time}": json.dumps({"accessToken": "a", "expiresAt": time})
        for time in (
            "2027-01-16",
            "2028-02-29",
            "2027-01-15T09:00",
            "2027-01-15T10:00:00+0100",
            "2027-01-15 10:00:00+01",
            "2027-01-15T08:30-0030",
            "2027-01-15T09:00:00.5Z",
            "2027-01-15T09:00:00.123456789-00:00",
        )
    }
    | {
        f"expiry {expiry}, {origin}": f'{{"accessToken": "a", "expiresAt": {expiry}, "tokenRefresh": {origin}}}'
        for expiry, origin in (
            (1800003600, '{"lifetime_seconds": 1800}'),
            (1800003601, '{"lifetime_seconds": 1800}'),
            (2100000000, '{"lifetime_seconds": 3600}'),
            (2100000000, '{"lifetime_seconds": true}'),
            (2100000000, '{"lifetime_seconds": 1.5}'),
            (2100000000, '{"lifetime_seconds": 1e10}'),
            (2100000000, "[1800]"),
            (2100000000, '"lifetime_seconds"'),
        )
    }
)

_EXTRA: Final[dict[str, dict[str, Any]]] = {
    "named": {"realmId": "9", "n": 7, "live": True, "note": "x", "tokenRefresh": {"kept": ["realmId", "n", "live"]}},
    "not named": {"realmId": "9"},
    "null": {"realmId": "9", "tokenRefresh": None},
    "no list": {"realmId": "9", "tokenRefresh": {"kept": "realmId"}},
    "a list": {"realmId": "9", "tokenRefresh": ["realmId"]},
    "names of the document": {
        "refreshToken": "hush",
        "clientSecret": "hush",
        "tokenRefresh": {"kept": ["refreshToken", "clientSecret", "accessToken", "expiresAt", "PROVIDER_x"]},
    },
    "other values": {
        "a": None,
        "b": [1],
        "c": {"d": 1},
        "e": 1.5,
        "tokenRefresh": {"kept": ["a", "b", "c", "e", "missing", "", "a b", "constructor", 1, None, "a\n"]},
    },
}


class TokenStage(Stage):
    """A reader of a token, and the worker that it may ask."""

    def __init__(self, name: str, *, background: bool = False, max_age: int | None = None, asks: bool = False) -> None:
        super().__init__(name, background=background)
        self.max_age, self.asks = max_age, asks
        self._runs = 0
        self._refreshed: dict[str, Any] | None = None
        self._reader = TokenReader(
            "tokens",
            client=cast("Any", self),
            background=background,
            max_age=None if max_age is None else timedelta(seconds=max_age),
            refresh_function="worker" if asks else None,
            lambda_client=cast("Any", self),
            runtime=runtime(self._clock, self._waiting),
        )

    def invoke(self, **_: Any) -> dict[str, Any]:
        """Respond as boto3's client of Lambda does; a run stores what the step `refresh` has."""
        self._runs += 1
        if self._refreshed is not None:
            self._stored = {**self._refreshed, "CreatedDate": datetime.fromtimestamp(self._clock(), UTC)}
            self._refreshed = None
        return {"Payload": BytesIO(b'{"outcome": "refreshed"}')}

    def refresh(self, token: str, *, lives: float) -> None:
        text, version = self._text(token, lives), self._next_version()
        self._refreshed = {"SecretString": text, "VersionId": version}
        self.steps.append({"do": "refresh", "text": text, "version": version})

    def _text(self, token: str, lives: float) -> str:
        return json.dumps({"accessToken": token, "expiresAt": round((self._clock() + lives) * 1000)})

    def store(self, token: str, *, lives: float) -> None:
        self.store_value(self._text(token, lives))

    def get(self) -> None:
        count = self._count()
        try:
            result = {"token": self._ask(self._reader.get)}
        except TokenRefreshError as error:
            result = {"error": type(error).__name__}
        self.steps.append({"do": "get", **result, **count(), "health": self._health()})

    def extra(self) -> None:
        self.steps.append({"do": "extra", "is": dict(self._reader.token().extra)})

    def _health(self) -> list[float | str | None]:
        health = self._reader.health()
        error = type(health.last_error).__name__ if health.last_error else None
        return [health.seconds_to_expiry, health.age_seconds, error]

    def reject(self, token: str) -> None:
        count = self._count()
        gives = self._ask(partial(self._reader.reject, token))
        self.steps.append({"do": "reject", "token": token, "gives": gives, **count()})

    def _count(self) -> Callable[[], dict[str, int]]:
        """Count the runs, too, where the reader may ask for them."""
        reads, runs = super()._count(), self._runs
        return lambda: reads() | ({"runs": self._runs - runs} if self.asks else {})

    def get_and_pass(self, *pauses: float) -> None:
        """Get the token, and again after each pause."""
        self.get()
        for seconds in pauses:
            self.pass_seconds(seconds)
            self.get()

    def _ask(self, call: Callable[[], T]) -> T:
        """Call the reader in this one thread: who would wait for a read in the background ends it."""

        def wait(fetch: Fetch, _seconds: float) -> bool:
            # Not the oldest one: that may have been given up, and then another one is waited for.
            job: Any = next(job for job in self._waiting.waiting if cast("Any", job).args[0] is fetch)
            self._waiting.waiting.remove(job)
            job()
            return True

        with patch.object(Fetch, "wait", wait):
            return call()

    def vector(self) -> dict[str, Any]:
        options = {"background": self.background, "max_age": self.max_age, "asks": self.asks}
        return {"name": self.name, **options, "steps": self.steps}


def vectors() -> list[dict[str, Any]]:
    """Make all vectors: what is stored in each form, each failure, and random lives of a secret."""
    stages = [_document(name, text) for name, text in (_RIGHT | _WRONG).items()]
    stages += [_extra(name, keys) for name, keys in _EXTRA.items()]
    stages += [_failure(failure) for failure in (*_CODES, *_OTHER_CODES)]
    stages += [_life(seed, background=bool(seed % 2)) for seed in SEEDS]
    stages += [_slow(), _hanging(), _last_seconds(), _years_away(), _rejected_often()]
    stages += [_schedule(seed) for seed in SEEDS[:12]]
    return [stage.vector() for stage in stages]


def _document(name: str, text: str) -> TokenStage:
    stage = TokenStage(f"document: {name}")
    stage.store_value(text)
    stage.get()
    return stage


def _extra(name: str, keys: dict[str, Any]) -> TokenStage:
    stage = TokenStage(f"extra: {name}")
    stage.store_value(json.dumps({"accessToken": "a", "expiresAt": 1800003600000, **keys}))
    stage.get()
    stage.extra()
    return stage


def _failure(failure: tuple[str, str]) -> TokenStage:
    """A failed first read, one while a token is served, and one after it expired."""
    stage = TokenStage(f"failure: {failure}")
    stage.get()
    stage.store("first", lives=3600)
    stage.pass_seconds(10)
    stage.get()
    stage.fail(failure)
    for seconds in (3500, 60, 60):
        stage.pass_seconds(seconds)
        stage.get()
    return stage


def _life(seed: int, *, background: bool) -> TokenStage:
    """A secret that is refreshed, fails, is rejected and read, in any order; the clock may be set back."""
    chance = random.Random(seed)  # noqa: S311 - a repeatable choice
    max_age, asks = chance.choice((None, None, 300, 7200)), chance.choice((False, False, True))
    stage = TokenStage(f"life {seed}", background=background, max_age=max_age, asks=asks)
    tokens = 0
    for _ in range(STEPS):
        match chance.choice(
            ("get", "get", "get", "pass", "pass", "pass", "store", "refresh", "fail", "recover", "reject", "finish")
        ):
            case "get":
                stage.get()
            case "pass":
                stage.pass_seconds(chance.choice((1, 7, 31, 120, 1800, 3600, 20_000, -90)))
            case "store":
                tokens += 1
                stage.store(f"token-{tokens}", lives=chance.choice((-1, 60, 1800, 3600, 86_400)))
            case "refresh":
                tokens += 1
                stage.refresh(f"token-{tokens}", lives=chance.choice((-1, 60, 3600, 86_400)))
            case "fail":
                stage.fail(chance.choice(_CODES))
            case "recover":
                stage.fail(None)
            case "reject":
                stage.reject(f"token-{chance.randint(max(1, tokens - 1), max(1, tokens))}")
            case _:
                stage.finish()
    return stage


def _slow() -> TokenStage:
    """A read in the background that takes over 30 s: the next caller begins another one."""
    stage = TokenStage("a slow read", background=True)
    stage.store("first", lives=3600)
    stage.get_and_pass(2500, 31)
    stage.get_and_pass(5)
    stage.store("second", lives=3600)
    stage.finish()
    stage.get()
    return stage


def _hanging() -> TokenStage:
    """A store that hangs for a quarter of an hour: both readers begin so many reads, and none in the pauses between."""
    stage = TokenStage("a store that hangs", background=True)
    stage.store("first", lives=36_000)
    stage.get()
    stage.pass_seconds(25_000)
    for _ in range(60):
        stage.get()
        stage.pass_seconds(15)
    stage.finish()
    stage.get()
    return stage


def _last_seconds() -> TokenStage:
    """A token that is read again half a second before its end, sooner than any pause: it is not served after that."""
    stage = TokenStage("the last seconds")
    stage.store("first", lives=4)
    for seconds in (0, 3.5, 0.75):
        stage.pass_seconds(seconds)
        stage.get()
    return stage


def _years_away() -> TokenStage:
    """A first set whose expiry is wrong, such as that of its refresh token: a day later its successor is served."""
    stage = TokenStage("years away")
    stage.store("first", lives=100 * 86_400)
    stage.get()
    stage.store("second", lives=2 * 86_400)
    for seconds in (86_399, 2):
        stage.pass_seconds(seconds)
        stage.get()
    return stage


def _rejected_often() -> TokenStage:
    """Rejections make the pauses longer; a read ahead between them, which finds the same token, doesn't."""
    stage = TokenStage("rejected often")
    stage.store("first", lives=3600)
    stage.get()
    stage.reject("first")
    stage.pass_seconds(2450)
    stage.get()
    for seconds in (2, 2, 2, 2, 4):
        stage.pass_seconds(seconds)
        stage.reject("first")
    return stage


def _schedule(seed: int) -> TokenStage:
    """A worker that refreshes at almost the same time of each token's life, and a service that reads all the time."""
    chance = random.Random(seed)  # noqa: S311 - a repeatable choice
    stage = TokenStage(f"schedule {seed}")
    lives = chance.choice((600, 3600, 86_400))
    for number in range(14):
        stage.store(f"token-{number}", lives=lives)
        after = round(lives * chance.uniform(0.3, 0.95 if seed % 3 else 1.2))
        for _ in range(12):
            stage.pass_seconds(after // 12)
            stage.get()
    return stage


def random_vectors(seed: int, *, documents: int, lives: int) -> list[dict[str, Any]]:
    """Make vectors of odd documents and lives; each has its seed in its name."""
    made = [_document(f"odd document {number}", odd_document(number)) for number in range(seed, seed + documents)]
    made += [_life(number, background=bool(number % 2)) for number in range(seed, seed + lives)]
    return [stage.vector() for stage in made]


def text(made: list[dict[str, Any]]) -> str:
    """Write vectors as JSON, a vector a line."""
    return "[\n" + ",\n".join(json.dumps(vector) for vector in made) + "\n]\n"


if __name__ == "__main__":
    for file, made in ((FILE, vectors()), (secret_vectors.FILE, secret_vectors.vectors())):
        file.write_text(text(made), encoding="utf-8")
        sys.stdout.write(f"{file.name}: {len(made)} vectors\n")
