"""Calls on one DynamoDB table."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar

from token_refresh.aws.calls import CallFailed, Repeat, call, call_action, nothing, once
from token_refresh.aws.causes import FailedCall
from token_refresh.aws.request import AwsRequest

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

T = TypeVar("T")

_CONDITION_NOT_MET: Final = "ConditionalCheckFailedException"


class Table:
    """A table, by its name."""

    def __init__(
        self,
        client: "DynamoDBClient",
        name: str,
        *,
        kind: str = "table",
        purpose: Callable[[], str | None] = lambda: None,
        repeat: Repeat = once,
    ) -> None:
        """Remember the table.

        Args:
            client: The client.
            name: The table's name.
            kind: What messages call it.
            purpose: Gives what the table is called for, for messages.
            repeat: Tries a call again.
        """
        self.name = name
        self._client = client
        self._kind = kind
        self._purpose = purpose
        self._repeat = repeat

    @property
    def region(self) -> str:
        """The AWS region that is called."""
        return self._client.meta.region_name

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
            lambda: read(call_action(self._client, action, **table, **what)),
            lambda: AwsRequest(
                action=f"dynamodb:{action}",
                name=self.name,
                region=self.region,
                kind=self._kind,
                purpose=self._purpose(),
            ),
            expected=expected,
            repeat=self._repeat,
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
