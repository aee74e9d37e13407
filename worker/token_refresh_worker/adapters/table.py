"""Calls on one DynamoDB table, and where to look for a table or a function that is not found."""

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from token_refresh.advice import Advice, Command
from token_refresh.aws.calls import CallFailed, Repeat, call, call_action, nothing, once
from token_refresh.aws.causes import FailedCall
from token_refresh.aws.request import AwsRequest

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

T = TypeVar("T")

_CONDITION_NOT_MET: Final = "ConditionalCheckFailedException"


@dataclass(frozen=True, slots=True, repr=False)
class Table:
    """A table, by its name."""

    client: "DynamoDBClient"
    name: str
    _: KW_ONLY
    kind: str = "table"
    """What messages call it."""
    purpose: Callable[[], str | None] = lambda: None
    """Returns what the table is called for, for messages."""
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


def with_whereabouts(request: AwsRequest) -> AwsRequest:
    """Add to a call where to look for what it is about."""
    look = _where_it_is(request)
    return request._replace(look=look) if look else request


def _where_it_is(request: AwsRequest) -> Advice:
    match request.kind:
        case "table":
            return (
                'Set CLAIM_TABLE to the output ClaimTableName of the stack (claim_table = "create" makes one), and ',
                "AWS_REGION to its region. If the table is lost, this lists what it can be restored from: ",
                request.command("aws dynamodb list-backups --backup-type ALL --table-name {}", request.name),
                *_named_in_document(request),
            )
        case "fleet table":
            return (
                "Check the fleet's name, and set AWS_REGION to the region of its stack; to deploy one: ",
                *(Command.of("scripts/deploy NAME"), ', with mode = "fleet" in infra/deployments/NAME.toml'),
            )
        case "function":
            return "List the functions: ", request.command("aws lambda list-functions --query Functions[].FunctionName")
        case _:
            return ()


def _named_in_document(request: AwsRequest) -> Advice:
    """Say how a secret gets to know a table that was restored under another name, or made anew."""
    if request.purpose is None:
        return ()
    line = "token-refresh claims move {} --to table --table NAME --lost"
    move = request.command(line, request.purpose.removeprefix("secret "))
    return ". Restored under another name, or made anew, NAME: deploy with it in claim_table, then ", move
