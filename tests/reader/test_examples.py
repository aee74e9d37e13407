"""Examples as their users run them: real processes, a real store, an API on loopback. `examples/` has their tests."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from testbed.reader_surroundings import Api, Store, WallClock
from testbed.secrets_manager.server import SecretsManagerServer

GROUP = "unmeasured"

EXAMPLES = Path(__file__).parents[2] / "examples"
ME = {"user": {"id": "1", "nid": "~1", "rid": "2"}, "organization": {"id": "3"}}


class Upwork(Api):
    """Responds to the query of the examples."""

    def content(self, path: str, body: bytes) -> bytes:
        assert "/graphql" == path
        assert "query { user" in json.loads(body)["query"]
        return json.dumps({"data": ME}).encode()


def test_as_their_users_run_them() -> None:
    """The GraphQL example prints who we are; the function follows no redirect, so nobody else gets the token."""
    with SecretsManagerServer() as server, Upwork() as upwork, Api() as other:
        Store(server, WallClock(time.time())).put("canary-1", secret_id="upwork-oauth-tokens-published")
        upwork.accepted = {"canary-1"}

        def run(*arguments: str) -> subprocess.CompletedProcess[str]:
            environment = {**os.environ, **server.environment, "UPWORK_API": upwork.url}
            command = [sys.executable, *arguments]
            return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=EXAMPLES)  # noqa: S603 - our own code

        printed = run("upwork_graphql.py")
        upwork.seen.clear()
        upwork.redirects["/graphql"], upwork.redirect_status = other.url.replace("127.0.0.1", "localhost"), 303
        redirected = run("-c", "import lambda_handler; lambda_handler.handler({}, None)")

    assert (f"{ME}\n", "") == (printed.stdout, printed.stderr)
    assert "HTTP Error 303" in redirected.stderr
    assert (["canary-1"], []) == (upwork.bearers, other.seen)
