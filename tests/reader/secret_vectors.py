"""What a `SecretReader` does, as data that readers in other languages pass too; `reader.vectors` writes the file.

Each vector is a list of steps, as for tokens, with one reader of the reference and options that it names.

    {"do": "store", "text" or "binary": ..., "version": ...}    `binary` is base64
    {"do": "fail", "code": ..., "message": ...}
    {"do": "pass", "seconds": ...}
    {"do": "get", "accepted": [[value in base64, stage], ...] or "error": ..., "reads": n}
    {"do": "reject", "gives": true or false, "reads": n}       the last version that a step `get` gave
    {"do": "finish", "reads": n}
"""

import base64
import json
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, cast

from botocore.exceptions import ClientError

from testbed.reader_surroundings import Background, WallClock, runtime
from token_refresh.errors import TokenRefreshError
from token_refresh.reader import Secret, SecretReader

FILE: Final = Path(__file__).parents[2] / "reader-typescript" / "test" / "secret-vectors.json"
SEEDS: Final = range(60)
STEPS: Final = 40
NOT_FOUND: Final = ("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
CODES: Final = (
    ("ThrottlingException", "Rate exceeded"),
    ("AccessDeniedException", "User is not authorized to perform: secretsmanager:GetSecretValue"),
    NOT_FOUND,
)
_STORED: Final = (
    '{"key": "one", "other": 1}',
    '{"key": ["new", "old", "older"]}',
    '{"key": []}',
    '{"key": ""}',
    '{"key": ["new", ""]}',
    '{"key": ["new", 7]}',
    '{"key": [["new"]]}',
    '{"key": null}',
    '{"key": 7}',
    '{"key": true}',
    '{"key": {"inner": "x"}}',
    '{"toString": "x"}',
    '["key"]',
    '"key"',
    "null",
    "7",
    "plain",
    "",
    '{"key": "\\u00e4\\ud83d\\ude00"}',
)


class Stage:
    """One reader, one secret; each step is taken and written down with its results."""

    secret_id = "tokens"

    def __init__(self, name: str, *, background: bool) -> None:
        self.name, self.background = name, background
        self.steps: list[dict[str, Any]] = []
        self.meta = SimpleNamespace(region_name="eu-central-1")
        self._clock, self._waiting = WallClock(), Background()
        self._stored: dict[str, Any] = {}
        self._failing: tuple[str, str] | None = NOT_FOUND
        self._reads = self._versions = 0

    def get_secret_value(self, **request: str) -> dict[str, Any]:
        """Respond as boto3's client does."""
        assert {"SecretId": self.secret_id, "VersionStage": "AWSCURRENT"} == request
        self._reads += 1
        if self._failing is not None:
            code, message = self._failing
            raise ClientError({"Error": {"Code": code, "Message": message}}, "GetSecretValue")
        return self._stored

    def store_value(self, value: str | bytes) -> None:
        self._failing = None
        version = self._next_version()
        key, step = ("SecretString", "text") if isinstance(value, str) else ("SecretBinary", "binary")
        self._stored = {key: value, "VersionId": version, "CreatedDate": datetime.fromtimestamp(self._clock(), UTC)}
        written = value if isinstance(value, str) else base64.b64encode(value).decode()
        self.steps.append({"do": "store", step: written, "version": version})

    def fail(self, failure: tuple[str, str] | None) -> None:
        self._failing = failure if self._stored else NOT_FOUND
        self.steps.append({"do": "fail"} | dict(zip(("code", "message"), self._failing or (), strict=False)))

    def pass_seconds(self, seconds: float) -> None:
        self._clock.advance(seconds)
        self.steps.append({"do": "pass", "seconds": seconds})

    def finish(self) -> None:
        count = self._count()
        self._waiting.run()
        self.steps.append({"do": "finish", **count()})

    def _next_version(self) -> str:
        self._versions += 1
        return f"version-{self._versions:026}"

    def _count(self) -> Callable[[], dict[str, int]]:
        """Count the reads from now on."""
        before = self._reads
        return lambda: {"reads": self._reads - before}


class SecretStage(Stage):
    """A reader of any secret."""

    def __init__(self, name: str, reference: str = "slack", *, background: bool = False, **seconds: int) -> None:
        super().__init__(name, background=background)
        self.reference, self.secret_id, self.seconds = reference, reference.partition("#")[0], seconds
        self._given: Secret | None = None
        durations: Any = {name.removesuffix("_seconds"): timedelta(seconds=value) for name, value in seconds.items()}
        self._reader = SecretReader(
            reference,
            client=cast("Any", self),
            background=background,
            runtime=runtime(self._clock, self._waiting),
            **durations,
        )

    def get(self) -> None:
        count, result = self._count(), dict[str, Any]()
        try:
            found = self._reader.accepted()
        except TokenRefreshError as error:
            result["error"] = type(error).__name__
        else:
            self._given = found[0]
            result["accepted"] = [[base64.b64encode(each.binary()).decode(), each.stage] for each in found]
        self.steps.append({"do": "get", **result, **count()})

    def reject(self) -> None:
        # Who rejects while a read runs in the background waits for its end; that is not played here.
        if self._given is not None and not self._waiting.waiting:
            count = self._count()
            self.steps.append({"do": "reject", "gives": self._reader.reject(self._given), **count()})

    def vector(self) -> dict[str, Any]:
        options = {"background": self.background, **self.seconds}
        return {"name": self.name, "reference": self.reference, "options": options, "steps": self.steps}


def vectors() -> list[dict[str, Any]]:
    """Make all vectors: each form of what is stored, with and without a field, and random lives of a secret."""
    stages = [_stored(value, reference) for value in (*_STORED, b"\x00\xff") for reference in ("slack", "slack#key")]
    stages += [_life(seed) for seed in SEEDS]
    stages.append(_rotated_often())
    return [stage.vector() for stage in stages]


def _stored(value: str | bytes, reference: str) -> SecretStage:
    stage = SecretStage(f"stored as {reference}: {value!r}", reference)
    stage.store_value(value)
    stage.get()
    return stage


def _rotated_often() -> SecretStage:
    """A store that gives another value at each read, and a caller who rejects them all, soon gets pauses."""
    stage = SecretStage("rotated often")
    stage.store_value("value-0")
    stage.get()
    for number in range(1, 12):
        stage.store_value(f"value-{number}")
        for _ in range(2):
            stage.reject()
            stage.get()
        stage.pass_seconds(2)
    return stage


def _life(seed: int) -> SecretStage:
    """A secret that is rotated, fails, is rejected and read, in any order; the clock may be set back."""
    chance = random.Random(seed)  # noqa: S311 - a repeatable choice
    seconds = chance.choice(({}, {}, {"ttl_seconds": 60}, {"ttl_seconds": 600, "max_stale_seconds": 900}))
    reference = chance.choice(("slack", "slack#key"))
    stage = SecretStage(f"life {seed}", reference, background=bool(seed % 2), **seconds)
    for number in range(STEPS):
        match chance.choice((*("get", "pass") * 3, "store", "fail", "recover", "reject", "finish")):
            case "get":
                stage.get()
            case "pass":
                stage.pass_seconds(chance.choice((1, 7, 31, 120, 250, 301, 1800, 20_000, -90)))
            case "store":
                stage.store_value(json.dumps({"key": f"value-{number}"}))
            case "fail":
                stage.fail(chance.choice(CODES))
            case "recover":
                stage.fail(None)
            case "reject":
                stage.reject()
            case _:
                stage.finish()
    return stage
