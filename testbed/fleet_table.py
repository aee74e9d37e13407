"""The table of a fleet, with the keys and the index that its stack gives it."""

from typing import Any, Final

FLEET_TABLE: Final = {
    "BillingMode": "PAY_PER_REQUEST",
    "AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"} for key in ("secret_arn", "fleet")],
    "KeySchema": [{"AttributeName": "secret_arn", "KeyType": "HASH"}],
    "GlobalSecondaryIndexes": [
        {
            "IndexName": "fleet",
            "KeySchema": [{"AttributeName": "fleet", "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "ALL"},
        }
    ],
}
"""Its properties in a template, and parameters of `CreateTable`."""


def create_fleet_table(client: Any, name: str, **others: Any) -> None:
    """Create it with a client of DynamoDB; `others` are parameters of `CreateTable`."""
    client.create_table(TableName=name, **FLEET_TABLE, **others)
