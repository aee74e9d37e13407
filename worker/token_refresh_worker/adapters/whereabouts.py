"""What the worker's people do where a table or a function does not exist."""

from token_refresh.advice import Advice, Command
from token_refresh.aws.request import AwsRequest


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
