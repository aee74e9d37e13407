from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from testbed import reader_surroundings as surroundings
from testbed.aws.errors import ServiceError
from testbed.reader_surroundings import WallClock
from testbed.secrets_manager.server import SecretsManagerServer
from testbed.webhooks.setting import Setting
from testbed.webhooks.signing import NEW_SECRETS, SECRETS, SentRequest, sent
from token_refresh.errors import TokenRefreshError
from token_refresh.reader import SecretReader
from token_refresh.webhooks import SENDERS, Verifier

HOUR = timedelta(hours=1)
FORGED = "whsec_b3RoZXI="


class NearClient:
    """Reads a store in this process as boto3's client does, but without HTTP, which takes most of a day's time."""

    def __init__(self, server: SecretsManagerServer) -> None:
        self.meta = SimpleNamespace(region_name=server.region)
        self._server = server

    def get_secret_value(self, **request: str) -> dict[str, Any]:
        name, region = "GetSecretValue", self._server.region
        try:
            response: Any = self._server.handle(name, request, region=region, access_key_id="testing")
        except ServiceError as error:
            raise ClientError({"Error": {"Code": error.code, "Message": error.message}}, name) from None
        return {**response, "CreatedDate": datetime.fromtimestamp(response["CreatedDate"], UTC)}


class Stored:
    """The secret, by the test's clock; the client sends each request once, or is `near`."""

    def __init__(
        self, server: SecretsManagerServer, clock: WallClock, kind: str = "stripe", *, near: bool = False, **reader: Any
    ) -> None:
        self.server, self.clock, self.kind = server, clock, kind
        self.client = server.client(config=Config(retries={"total_max_attempts": 1}))
        self._reads_with: Any = NearClient(server) if near else self.client
        self.client.create_secret(Name="signing", SecretString=SECRETS[kind])
        self.restart(**reader)

    def restart(self, **reader: Any) -> None:
        """Begin anew with nothing cached, as another execution environment does."""
        options: dict[str, Any] = {"background": False, "overlap": HOUR} | reader
        runtime = surroundings.runtime(self.clock)
        secret = SecretReader("signing", client=self._reads_with, runtime=runtime, **options)
        self.verifier = Verifier(SENDERS[self.kind], secret, runtime=runtime)

    def rotate(self) -> None:
        self.client.put_secret_value(SecretId="signing", SecretString=NEW_SECRETS[self.kind])

    def request(self, secret: str) -> SentRequest:
        return sent(self.kind, secret=secret, at=int(self.clock()))

    def verify(self, secret: str) -> str:
        """Verify a delivery that is signed with a secret now; give which one it was, or the error's name."""
        request = self.request(secret)
        try:
            return self.verifier.verify(request.headers, request.body).verified_with.stage
        except TokenRefreshError as error:
            return type(error).__name__

    @property
    def reads(self) -> int:
        return sum(logged.call.operation == "GetSecretValue" for logged in self.server.calls)


@pytest.fixture
def setting() -> Setting:
    return Setting()


@pytest.fixture
def clock() -> WallClock:
    return WallClock()


@pytest.fixture
def server(clock: WallClock) -> Iterator[SecretsManagerServer]:
    with SecretsManagerServer(clock=clock) as running:
        yield running


@pytest.fixture(autouse=True)
def _aws_of_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the machine's own AWS settings out."""
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_LAMBDA_FUNCTION_NAME", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
