"""Asks the worker to refresh now, where the stored token is of no use and waiting for the schedule won't do."""

import json
import math
import re
from typing import TYPE_CHECKING, Any

from token_refresh.aws.arn import arn_region
from token_refresh.aws.causes import failure_of
from token_refresh.reader.runtime import Runtime
from token_refresh.reader.store import CLIENTS

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

# Longer than a run of the worker takes. The request is not repeated: the run may well be under way.
INVOKE_TIMEOUT_SECONDS = 90.0
# A worker that can't help at once (re-authorization required, say) isn't asked again sooner.
PAUSE_SECONDS = 60.0

_ERROR_TYPE = re.compile(r"[A-Za-z][A-Za-z0-9_.]{0,63}")


class RefreshFunction:
    """The worker's Lambda function. A reader has one flight at a time, so this is never called twice at once."""

    def __init__(self, function_name: str, *, client: "LambdaClient | None", runtime: Runtime) -> None:
        self._function_name = function_name
        self._client = client
        self._runtime = runtime
        self._again_at = -math.inf

    def ask(self, *, force: bool) -> str:
        """Have the worker run, and say what it came to; ask nothing where it was asked a moment ago.

        An expired token is due anyway; `force` is for one that was rejected before its time.
        """
        now = self._runtime.clock()
        if now < self._again_at <= now + PAUSE_SECONDS:
            return f"{self._function_name} was asked less than {PAUSE_SECONDS:.0f} s ago"
        self._again_at = now + PAUSE_SECONDS
        try:
            response = self._connect().invoke(
                FunctionName=self._function_name,
                InvocationType="RequestResponse",
                Payload=json.dumps({"force": True} if force else {}).encode(),
            )
            answer = json.loads(response["Payload"].read())
        except Exception as error:  # noqa: BLE001 - the token that is stored says more than a worker out of reach
            return f"{self._function_name} could not be asked to refresh ({failure_of(error).code})"
        return f"{self._function_name} was asked to refresh and answered {_verdict(answer)}"

    def _connect(self) -> "LambdaClient":
        if self._client is not None:
            return self._client
        region = arn_region(self._function_name)
        made: LambdaClient = CLIENTS.get("lambda", region, read_timeout_seconds=INVOKE_TIMEOUT_SECONDS, attempts=1)
        return made


def _verdict(answer: Any) -> str:
    """Name the outcome or the type of error, and nothing else of what was received."""
    named = (answer.get("outcome") or answer.get("errorType")) if isinstance(answer, dict) else None
    return named if isinstance(named, str) and _ERROR_TYPE.fullmatch(named) else "something else than an outcome"
