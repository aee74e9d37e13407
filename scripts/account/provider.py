"""A provider of RFC 6749 for an hour, as a Lambda function: single-use refresh tokens; its table has digests alone."""

import base64
import hashlib
import json
import os
import secrets
from typing import Any
from urllib.parse import parse_qs

import boto3
from botocore.exceptions import ClientError

GRANT = {"id": {"S": "grant"}}


def digest(text: str) -> dict[str, str]:
    """Return an attribute of the table."""
    return {"S": hashlib.sha256(text.encode()).hexdigest()}


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Respond to a token request that came through a function URL, and has its client in the body or in a header."""
    body = event.get("body") or ""
    if event.get("isBase64Encoded"):
        body = base64.b64decode(body).decode()
    form = {name: values[0] for name, values in parse_qs(body).items()}
    client = form.get("client_id", "") + ":" + form.get("client_secret", "")
    authorization = event.get("headers", {}).get("authorization", "")
    if authorization.startswith("Basic "):
        client = base64.b64decode(authorization[6:]).decode()
    status, answer = respond(form, client, boto3.client("dynamodb"), os.environ["TABLE"])
    headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    return {"statusCode": status, "headers": headers, "body": json.dumps(answer)}


def respond(form: dict[str, str], client: str, dynamodb: Any, table: str) -> tuple[int, dict[str, Any]]:
    """Redeem a refresh token, or refuse it as sections 5.2 and 6 say; a used token revokes the grant."""
    grant = dynamodb.get_item(TableName=table, Key=GRANT, ConsistentRead=True).get("Item")
    if grant is None or grant["client"] != digest(client):
        return 401, {"error": "invalid_client"}
    if form.get("grant_type") != "refresh_token":
        return 400, {"error": "unsupported_grant_type"}
    new = secrets.token_urlsafe(32)
    values = {":new": digest(new), ":old": digest(form.get("refresh_token", "")), ":no": {"S": "no"}}
    where = {"TableName": table, "Key": GRANT}
    redeems = "refresh = :old AND rejected = :no"
    try:
        dynamodb.update_item(
            **where,
            UpdateExpression="SET refresh = :new",
            ConditionExpression=redeems,
            ExpressionAttributeValues=values,
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
        revoked = {":yes": {"S": "yes"}}
        dynamodb.update_item(**where, UpdateExpression="SET rejected = :yes", ExpressionAttributeValues=revoked)
        return 400, {"error": "invalid_grant"}
    tokens = {"access_token": secrets.token_urlsafe(32), "refresh_token": new}
    return 200, tokens | {"token_type": "Bearer", "expires_in": 1800}
