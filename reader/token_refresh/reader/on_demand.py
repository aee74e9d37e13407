"""Asks the worker to refresh now, if the stored token can't be used and waiting for the schedule takes too long."""

import json
import logging
import math
import re
from typing import TYPE_CHECKING, Any, Final

from token_refresh.advice import Advice, in_words
from token_refresh.aws.arn import arn_region
from token_refresh.aws.calls import call
from token_refresh.aws.clients import CLIENTS, ClientLimits
from token_refresh.aws.request import AwsRequest
from token_refresh.errors import TokenRefreshError
from token_refresh.reader.runtime import Runtime
from token_refresh.reader.token import Token

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

# Longer than a run of the worker takes, and one attempt: a repeat would start a second run beside the first.
INVOKE_LIMITS: Final = ClientLimits(connect_seconds=2, read_seconds=90, attempts=1)

# A worker that can't help at once (re-authorization required, say) is not asked again sooner.
PAUSE_SECONDS: Final = 60.0

# A token younger than this is not refreshed for a rejection: the next one would be rejected, too.
YOUNG_SECONDS: Final = 300.0

# The pauses after forced refreshes, or after a new token was rejected at once. The last one is repeated.
FORCED_PAUSES_SECONDS: Final = (3600.0, 4 * 3600.0, 12 * 3600.0)

# After this long the pauses begin again.
FORGET_SECONDS: Final = 24 * 3600.0

_OUTCOME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.]{0,63}")

logger = logging.getLogger("token_refresh.reader")


class ForcedRefreshes:
    """Decides whether a rejected token is worth a forced refresh.

    An API that rejects everything would otherwise cause one refresh after another. Each uses up a part of the worker's
    daily limit, and may end the grant.
    """

    def __init__(self) -> None:
        self._count = 0
        self._last_at = -math.inf
        self._next_at = -math.inf
        self._noted: str | None = None

    def allow(self, token: Token, now: float) -> bool:
        """Say whether to force a refresh for this rejected token; counts it if so."""
        if now - self._last_at >= FORGET_SECONDS:
            self._count, self._next_at = 0, -math.inf
        if now - token.created_at.timestamp() < YOUNG_SECONDS:
            # Once for each version: the rejections that follow say nothing new, and would use up the pauses.
            if self._noted != token.version_id:
                self._noted = token.version_id
                self._pause(now)
                logger.warning(
                    "the API rejected version %s less than %d s after it was stored: no forced refresh for %d s",
                    token.version_id,
                    YOUNG_SECONDS,
                    self._next_at - now,
                )
            return False
        if now < self._next_at:
            return False
        self._pause(now)
        return True

    def _pause(self, now: float) -> None:
        pauses = FORCED_PAUSES_SECONDS
        self._next_at = now + pauses[min(self._count, len(pauses) - 1)]
        self._last_at = now
        self._count += 1


class RefreshFunction:
    """The worker's Lambda function. A reader has one fetch at a time, so this is never called twice at once."""

    def __init__(self, function_name: str, *, client: "LambdaClient | None", runtime: Runtime) -> None:
        self._function_name = function_name
        self._client = client
        self._runtime = runtime
        self._again_at = -math.inf
        self._forced = ForcedRefreshes()

    def refresh_rejected(self, token: Token) -> bool:
        """Have the worker refresh a token that the API rejected before its time; False if it is not worth it."""
        if not self._forced.allow(token, self._runtime.clock()):
            return False
        asked = in_words(self._invoke(force=True))
        logger.warning("version %s was rejected before its expiry: %s", token.version_id, asked)
        return True

    def refresh_expired(self) -> Advice:
        """Have the worker refresh a token that is due anyway, and name the outcome.

        The worker is not asked again within a minute, unless the clock was set back.
        """
        now = self._runtime.clock()
        if now < self._again_at <= now + PAUSE_SECONDS:
            return (f"{self._function_name} was asked to refresh less than {PAUSE_SECONDS:.0f} s ago",)
        # Before the call: a run that takes long, or fails, counts too.
        self._again_at = now + PAUSE_SECONDS
        return self._invoke(force=False)

    def _invoke(self, *, force: bool) -> Advice:
        region = arn_region(self._function_name)

        def ask() -> Any:
            client = self._client or CLIENTS.get("lambda", limits=INVOKE_LIMITS, region=region)
            response = client.invoke(
                FunctionName=self._function_name,
                InvocationType="RequestResponse",
                Payload=json.dumps({"force": True} if force else {}).encode(),
            )
            return json.loads(response["Payload"].read())

        def request() -> AwsRequest:
            return AwsRequest("lambda:InvokeFunction", self._function_name, CLIENTS.region_of(region) or "", "function")

        try:
            result = call(ask, request)
        # Not raised: the caller's error names the secret and carries this text.
        except TokenRefreshError as error:
            return f"{self._function_name} could not be asked to refresh: ", *error.parts
        return (f"{self._function_name} was asked to refresh and returned {_outcome(result)}",)


def _outcome(result: Any) -> str:
    """Name the outcome or the type of error, and nothing else of what was returned."""
    named = (result.get("outcome") or result.get("errorType")) if isinstance(result, dict) else None
    return named if isinstance(named, str) and _OUTCOME.fullmatch(named) else "something other than an outcome"
