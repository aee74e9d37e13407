"""A Parameter Store on this machine: `GetParameters` for boto3, with the strictness and the faults of `AwsServer`."""

from typing import Any, ClassVar

from testbed.aws.errors import ServiceError
from testbed.aws.faults import Call
from testbed.aws.server import AwsServer
from testbed.aws.service import Request, Response

PARAMETERS_PER_CALL = 10


class ParameterStoreServer(AwsServer):
    """The parameters of all regions, each region with its own. Arguments: see `AwsServer`."""

    signing_name: ClassVar[str] = "ssm"
    target_prefix: ClassVar[str] = "AmazonSSM."
    content_type: ClassVar[str] = "application/x-amz-json-1.1"
    endpoint_variable: ClassVar[str] = "AWS_ENDPOINT_URL_SSM"

    def __init__(self, **server: Any) -> None:
        super().__init__(**server)
        self._parameters: dict[tuple[str, str], Response] = {}

    def put(self, name: str, value: str, *, region: str | None = None) -> None:
        """Store a new version of a SecureString."""
        key = (region or self.region, name)
        version = self._parameters.get(key, {"Version": 0})["Version"] + 1
        self._parameters[key] = {
            "Name": name,
            "Type": "SecureString",
            "Value": value,
            "Version": version,
            "LastModifiedDate": self.now(),
        }

    def delete(self, name: str, *, region: str | None = None) -> None:
        """Delete a parameter; one that is made anew begins with version 1."""
        del self._parameters[region or self.region, name]

    def _carry_out(self, operation: str, request: Request, region: str) -> Response:
        if operation != "GetParameters":
            raise ServiceError("UnknownOperationException", f"This server does not know {operation}.")
        names = request["Names"]
        if not 1 <= len(names) <= PARAMETERS_PER_CALL:
            raise ServiceError("ValidationException", "Names must have 1 to 10 members.")
        # AWS promises no order: the last one asked for comes first.
        found = [self._parameters[region, name] for name in reversed(names) if (region, name) in self._parameters]
        if not request.get("WithDecryption"):
            found = [{**parameter, "Value": "encrypted"} for parameter in found]
        invalid = [name for name in names if (region, name) not in self._parameters]
        return {"Parameters": found, "InvalidParameters": invalid}

    def _describe(self, operation: str, request: Request, region: str, access_key_id: str) -> Call:
        return Call(
            operation=operation,
            region=region,
            access_key_id=access_key_id,
            secret_id=" ".join(request.get("Names", ())),
            arn=None,
            version_id=None,
            version_stages=(),
        )
