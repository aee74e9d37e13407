"""Calls on one DynamoDB table."""

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from token_refresh.aws.calls import CallFailed, Repeat, call, call_action, nothing, once
from token_refresh.aws.causes import FailedCall
from token_refresh.aws.request import AwsRequest
from token_refresh_worker.adapters.whereabouts import with_whereabouts

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

T = TypeVar("T")

_CONDITION_NOT_MET: Final = "ConditionalCheckFailedException"


@dataclass(eq=False, repr=False)  # as `Run`: for the cold start
class Table:
    """A table, by its name."""

    client: "DynamoDBClient"
    name: str
    _: KW_ONLY
    kind: str = "table"
    """What messages call it."""
    purpose: Callable[[], str | None] = lambda: None
    """Gives what the table is called for, for messages."""
    repeat: Repeat = once

    @property
    def region(self) -> str:
        """The AWS region that is called."""
        return self.client.meta.region_name

    def call(
        self,
        action: str,
        what: Mapping[str, Any],
        read: Callable[[Any], T],
        *,
        expected: Callable[[FailedCall], bool] = nothing,
    ) -> T:
        """Carry out an action, and read its response; see `token_refresh.aws.calls.call`."""
        # One action names its tables within.
        table = {} if action == "BatchGetItem" else {"TableName": self.name}
        return call(
            lambda: read(call_action(self.client, action, **table, **what)),
            lambda: with_whereabouts(
                AwsRequest(f"dynamodb:{action}", self.name, self.region, self.kind, purpose=self.purpose())
            ),
            expected=expected,
            repeat=self.repeat,
        )

    def write(
        self, action: str, what: Mapping[str, Any], read: Callable[[Any], object] = lambda _response: None
    ) -> bool:
        """Carry out a conditional write; False if the item is not as the condition wants it."""
        try:
            self.call(action, what, read, expected=lambda failure: failure.code == _CONDITION_NOT_MET)
        except CallFailed:
            return False
        return True
