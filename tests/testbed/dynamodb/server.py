"""A strict DynamoDB on this machine: single items, conditional writes, consistent reads, and faults on demand.

A read without `ConsistentRead` gives the item as it was before its last write: the worst that the service allows.

    with DynamoDbServer() as server:
        server.create_table("claims", key="secret_arn")
        hold = server.fault("hold_after", "PutItem")
"""

import json
from collections.abc import Callable
from typing import Any, ClassVar, Final

from testbed.aws.errors import ServiceError
from testbed.aws.faults import Call
from testbed.aws.server import AwsServer
from testbed.aws.service import Request, Response
from testbed.dynamodb.expressions import Expression, Item, invalid

_ITEM_BYTES: Final = 400 * 1024
_TYPES: Final[dict[str, type | tuple[type, ...]]] = {
    "S": str,
    "N": str,
    "B": str,
    "BOOL": bool,
    "NULL": bool,
    "M": dict,
    "L": list,
    "SS": list,
    "NS": list,
}


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
        self._before: dict[tuple[str, str], Item | None] = {}

    def create_table(self, name: str, *, key: str) -> None:
        """Create a table."""
        self._keys[name] = key
        self.tables[name] = {}

    def arn(self, table: str) -> str:
        """Give a table's ARN."""
        return f"arn:aws:dynamodb:{self.region}:123456789012:table/{table}"

    def _carry_out(self, operation: str, request: Request, region: str) -> Response:
        del region
        handle = self._OPERATIONS.get(operation)
        if handle is None:
            raise ServiceError("UnknownOperationException", f"This server does not know {operation}.")
        table = str(request.get("TableName", "")).rpartition("/")[2]
        if table not in self.tables:
            raise ServiceError("ResourceNotFoundException", f"Requested resource not found: Table: {table} not found")
        return handle(self, table, request)

    def _describe(self, operation: str, request: Request, region: str, access_key_id: str) -> Call:
        table = str(request.get("TableName", "")).rpartition("/")[2]
        given = request.get("Key") or request.get("Item") or {}
        key = given.get(self._keys.get(table, ""), {}).get("S")
        return Call(
            operation=operation,
            region=region,
            access_key_id=access_key_id,
            secret_id=key,
            arn=self.arn(table),
            version_id=None,
            version_stages=(),
        )

    def _describe_table(self, table: str, _: Request) -> Response:
        key = self._keys[table]
        return {
            "Table": {
                "TableName": table,
                "TableArn": self.arn(table),
                "TableStatus": "ACTIVE",
                "KeySchema": [{"AttributeName": key, "KeyType": "HASH"}],
                "AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"}],
                "ItemCount": len(self.tables[table]),
            }
        }

    def _get_item(self, table: str, request: Request) -> Response:
        key = self._key(table, request.get("Key", {}), exact=True)
        item = self.tables[table].get(key)
        if not request.get("ConsistentRead"):
            item = self._before.get((table, key), item)
        return {} if item is None else {"Item": item}

    def _put_item(self, table: str, request: Request) -> Response:
        item = _checked(request.get("Item", {}))
        key = self._key(table, item)
        self._check_condition(table, key, request)
        return self._store(table, key, dict(item), request)

    def _update_item(self, table: str, request: Request) -> Response:
        key = self._key(table, request.get("Key", {}), exact=True)
        expression = _expression(request, "UpdateExpression")
        update = expression.update()
        self._check_condition(table, key, request, used=expression.used)
        item = self.tables[table].get(key) or {self._keys[table]: {"S": key}}
        return self._store(table, key, _checked(update(item)), request)

    def _delete_item(self, table: str, request: Request) -> Response:
        key = self._key(table, request.get("Key", {}), exact=True)
        self._check_condition(table, key, request)
        return self._store(table, key, None, request)

    def _store(self, table: str, key: str, item: Item | None, request: Request) -> Response:
        old = self.tables[table].get(key)
        self._before[table, key] = old
        if item is None:
            self.tables[table].pop(key, None)
        else:
            self.tables[table][key] = item
        wanted = {"ALL_OLD": old, "ALL_NEW": item}.get(request.get("ReturnValues", "NONE"))
        return {} if wanted is None else {"Attributes": wanted}

    def _key(self, table: str, given: Item, *, exact: bool = False) -> str:
        name = self._keys[table]
        value = given.get(name)
        if not isinstance(value, dict) or not value.get("S") or (exact and set(given) != {name}):
            raise invalid("The provided key element does not match the schema")
        return str(value["S"])

    def _check_condition(self, table: str, key: str, request: Request, used: set[str] | None = None) -> None:
        used = used or set()
        item = self.tables[table].get(key)
        holds = True
        if "ConditionExpression" in request:
            expression = _expression(request, "ConditionExpression")
            holds = expression.condition()(item or {})
            used = used | expression.used
        given = {*request.get("ExpressionAttributeNames", {}), *request.get("ExpressionAttributeValues", {})}
        if given - used:
            raise invalid(f"Value provided in expression attributes unused in expressions: {sorted(given - used)}")
        if not holds:
            raise ServiceError("ConditionalCheckFailedException", "The conditional request failed")

    _OPERATIONS: ClassVar[dict[str, Callable[["DynamoDbServer", str, Request], Response]]] = {
        "DeleteItem": _delete_item,
        "DescribeTable": _describe_table,
        "GetItem": _get_item,
        "PutItem": _put_item,
        "UpdateItem": _update_item,
    }


def _expression(request: Request, member: str) -> Expression:
    names, values = request.get("ExpressionAttributeNames", {}), request.get("ExpressionAttributeValues", {})
    return Expression(str(request.get(member, "")), names, values)


def _checked(item: Item) -> Item:
    """Return an item whose attributes have the types that they say."""
    for name, value in item.items():
        if not isinstance(value, dict) or len(value) != 1:
            raise invalid("Supplied AttributeValue must contain exactly one of the supported datatypes")
        kind, content = next(iter(value.items()))
        if not isinstance(content, _TYPES.get(kind, ())):
            raise invalid(f"Supplied AttributeValue of {name} is not of type {kind}")
    if len(json.dumps(item)) > _ITEM_BYTES:
        raise invalid("Item size has exceeded the maximum allowed size")
    return item
