"""A strict DynamoDB on this machine: single items, conditional updates, consistent reads, and faults on demand.

It knows what claims and a fleet's index need and refuses the rest. Beside moto, it has the service's own clock in
`Date`, and does the worst that AWS allows: a read without `ConsistentRead` gives the item as it was before its last
write, a batch leaves half of its keys unread, and a page holds one row.

    with DynamoDbServer() as server:
        server.create_table("claims", key="secret_arn")
        hold = server.fault("hold_after", "UpdateItem")
"""

from typing import Any, ClassVar

from testbed.aws.errors import ServiceError
from testbed.aws.faults import Call
from testbed.aws.server import AwsServer
from testbed.aws.service import Request, Response
from testbed.dynamodb.expressions import Item, invalid, updated
from testbed.dynamodb.virtual import split_batch


class DynamoDbServer(AwsServer):
    """The tables of one region, each with a partition key of type string."""

    signing_name: ClassVar[str] = "dynamodb"
    target_prefix: ClassVar[str] = "DynamoDB_20120810."
    content_type: ClassVar[str] = "application/x-amz-json-1.0"
    endpoint_variable: ClassVar[str] = "AWS_ENDPOINT_URL_DYNAMODB"

    def __init__(self, **server: Any) -> None:
        super().__init__(**server)
        self._keys: dict[str, str] = {}
        self.tables: dict[str, dict[str, Item]] = {}
        """The items of each table, by key."""
        self.tags: dict[str, dict[str, str]] = {}
        """The tags of each table."""
        self._before: dict[tuple[str, str], Item | None] = {}

    def create_table(self, name: str, *, key: str) -> None:
        """Create a table."""
        self._keys[name] = key
        self.tables[name] = {}

    def arn(self, table: str) -> str:
        """Return a table's ARN."""
        return f"arn:aws:dynamodb:{self.region}:123456789012:table/{table}"

    def _carry_out(self, operation: str, request: Request, region: str) -> Response:
        del region
        if operation == "ListTagsOfResource":
            table = request["ResourceArn"].rpartition("/")[2]
            if table not in self.tables:
                raise ServiceError("ResourceNotFoundException", f"Requested resource not found: {table}")
            tags = self.tags.get(table, {})
            return {"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}
        if operation == "BatchGetItem":
            ((table, wanted),) = request["RequestItems"].items()
            unread, read = split_batch(wanted["Keys"])
            found = [self.tables[table].get(key[self._keys[table]]["S"]) for key in read]
            left = {table: {**wanted, "Keys": unread}} if unread else {}
            return {"Responses": {table: [item for item in found if item]}, "UnprocessedKeys": left}
        if operation not in {"DescribeTable", "GetItem", "Query", "UpdateItem"}:
            raise ServiceError("UnknownOperationException", f"This server does not know {operation}.")
        table = _table(request)
        if table not in self.tables:
            raise ServiceError("ResourceNotFoundException", f"Requested resource not found: Table: {table} not found")
        if operation == "DescribeTable":
            return {"Table": {"TableName": table, "TableArn": self.arn(table)}}
        if operation == "Query":
            # A fleet's index has the rows with its name, and is never behind here; a page has one of them.
            of, items = request["ExpressionAttributeValues"][":fleet"], self.tables[table].values()
            rows = [item for item in items if item.get("fleet") == of]
            start = int(request.get("ExclusiveStartKey", {"place": {"N": "0"}})["place"]["N"])
            more = {"LastEvaluatedKey": {"place": {"N": str(start + 1)}}} if start + 1 < len(rows) else {}
            return {"Items": rows[start : start + 1], **more}
        name, given = self._keys[table], request.get("Key", {})
        if set(given) != {name} or not given[name].get("S"):
            raise invalid("The provided key element does not match the schema")
        key = str(given[name]["S"])
        return self._get(table, key, request) if operation == "GetItem" else self._update(table, key, request)

    def _describe(self, operation: str, request: Request, region: str, access_key_id: str) -> Call:
        table = _table(request)
        return Call(
            operation=operation,
            region=region,
            access_key_id=access_key_id,
            secret_id=request.get("Key", {}).get(self._keys.get(table, ""), {}).get("S"),
            arn=self.arn(table),
            version_id=None,
            version_stages=(),
        )

    def _get(self, table: str, key: str, request: Request) -> Response:
        item = self.tables[table].get(key)
        if not request.get("ConsistentRead"):
            item = self._before.get((table, key), item)
        return {} if item is None else {"Item": item}

    def _update(self, table: str, key: str, request: Request) -> Response:
        old = self.tables[table].get(key)
        item = updated(old, request)
        self._before[table, key] = old
        self.tables[table][key] = item
        returned = {"ALL_NEW": item, "ALL_OLD": old}.get(request.get("ReturnValues", ""))
        return {"Attributes": returned} if returned else {}


def _table(request: Request) -> str:
    return str(request.get("TableName", "")).rpartition("/")[2]
