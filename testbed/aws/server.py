"""An AWS service on a port of 127.0.0.1: JSON over HTTP for boto3, with the service's own clock in `Date`.

`POST URL/_control` moves the clock from another process, as in `{"command": "clock", "offset_seconds": 86400}`.
"""

import base64
import json
import re
import uuid
from email.utils import formatdate
from types import TracebackType
from typing import Any, ClassVar, Self

from testbed.aws.errors import ServiceError
from testbed.aws.service import RegionalService
from testbed.loopback import LoopbackHandler, LoopbackServer


class AwsServer(RegionalService):
    """A service that listens while its `with` block lasts; `port` 0 takes a free one. The rest: see `AwsService`."""

    target_prefix: ClassVar[str]
    content_type: ClassVar[str]
    endpoint_variable: ClassVar[str]

    def __init__(self, *, port: int = 0, **service: Any) -> None:
        super().__init__(**service)
        self._http = _Http(port, self)

    def __enter__(self) -> Self:
        self._http.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.faults.clear()
        self._http.__exit__()

    @property
    def url(self) -> str:
        """Return the endpoint, for `endpoint_url`."""
        return f"http://{self._http.address}"

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables that lead a process's AWS clients here; any credentials will do."""
        return {
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_DEFAULT_REGION": self.region,
            "AWS_EC2_METADATA_DISABLED": "true",
            self.endpoint_variable: self.url,
            "AWS_REGION": self.region,
            "AWS_SECRET_ACCESS_KEY": "testing",
        }

    def client(self, **options: Any) -> Any:
        """Return a boto3 client of this server; options go to `boto3.client`."""
        import boto3  # noqa: PLC0415 - a server in its own process starts in half the time without it

        known = {"region_name": self.region, "aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
        make: Any = boto3.client
        return make(self.signing_name, endpoint_url=self.url, **(known | options))


class _Http(LoopbackServer):
    request_queue_size = 1024

    def __init__(self, port: int, service: AwsServer) -> None:
        super().__init__(_Handler, port=port)
        self.service = service
        self.scope = re.compile(rf"Credential=([^/]+)/\d+/([^/]+)/{service.signing_name}/aws4_request")


class _Handler(LoopbackHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # a response leaves in one piece
    server: _Http

    def do_POST(self) -> None:  # noqa: N802 - named by http.server
        body: dict[str, Any] = json.loads(self.read_body())
        if self.path == "/_control":
            self._control(body)
        else:
            self._operation(body)

    def reply(self, status: int, response: dict[str, Any]) -> None:
        """Send a response as the service does."""
        service = self.server.service
        content = json.dumps(response, default=lambda value: base64.b64encode(value).decode()).encode()
        headers = {
            "Content-Type": service.content_type,
            "Date": formatdate(service.now(), usegmt=True),
            "x-amzn-RequestId": str(uuid.uuid4()),
        }
        self.respond(status, content, headers)

    def _operation(self, body: dict[str, Any]) -> None:
        scope = self.server.scope.search(self.headers.get("Authorization", ""))
        if scope is None:
            missing = {"__type": "MissingAuthenticationTokenException", "Message": "Missing Authentication Token"}
            self.reply(400, missing)
            return
        service = self.server.service
        operation = self.headers.get("X-Amz-Target", "").removeprefix(service.target_prefix)
        if "SecretBinary" in body:
            body["SecretBinary"] = base64.b64decode(body["SecretBinary"])
        try:
            response = service.handle(operation, body, region=scope[2], access_key_id=scope[1])
        except ServiceError as error:
            self.reply(error.status, {"__type": error.code, "Message": error.message, "message": error.message})
            return
        if response is None:
            self.close_connection = True  # without a word
        else:
            self.reply(200, response)

    def _control(self, body: dict[str, Any]) -> None:
        if body.get("command") != "clock":
            self.reply(409, {"error": "the one command is clock, with offset_seconds"})
            return
        self.server.service.clock_offset_seconds = float(body["offset_seconds"])
        self.reply(200, {})
