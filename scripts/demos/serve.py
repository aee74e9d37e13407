"""`scripts/demo --serve`: the demo's servers with a first secret, so that every command of the docs can be tried."""

from __future__ import annotations

import base64
import json
import shlex
import threading
from typing import TYPE_CHECKING
from urllib.parse import unquote

from demos.account import TOKEN_SECRET_ID, Account
from testbed.loopback import LoopbackHandler, LoopbackServer

if TYPE_CHECKING:
    from testbed.aws_lambda.function import Function

FUNCTION_NAME = "token-refresh"


class InvokeApi(LoopbackServer):
    """Lambda's Invoke API for one function, as `token-refresh refresh --function` and the AWS CLI call it."""

    def __init__(self, function: Function) -> None:
        super().__init__(_Handler)
        self.function = function
        self.one_at_a_time = threading.Lock()


class _Handler(LoopbackHandler):
    server: InvokeApi

    def do_POST(self) -> None:  # noqa: N802 - named by http.server
        """Invoke the function, or say that there is none of that name."""
        _, _, _, name, what = (unquote(self.path).split("?")[0].split("/") + [""] * 5)[:5]
        event = json.loads(self.read_body() or b"{}")
        if what != "invocations" or name.rpartition(":")[2] != FUNCTION_NAME:
            missing = json.dumps({"Type": "User", "Message": f"Function not found: {name}"}).encode()
            self.answer(404, missing, {"x-amzn-ErrorType": "ResourceNotFoundException"})
            return
        with self.server.one_at_a_time:
            run = self.server.function.invoke(event)
        headers = {"X-Amz-Executed-Version": "$LATEST"}
        if self.headers.get("X-Amz-Log-Type") == "Tail":
            headers["X-Amz-Log-Result"] = base64.b64encode("\n".join(run.logs).encode()[-4096:]).decode()
        if run.error_type is None:
            self.answer(200, json.dumps(run.payload).encode(), headers)
            return
        error = {"errorType": run.error_type, "errorMessage": run.error_message}
        self.answer(200, json.dumps(error).encode(), headers | {"X-Amz-Function-Error": "Unhandled"})


def serve(handler: str) -> int:
    """Serve until interrupted."""
    with Account(handler) as account, account.function() as function, InvokeApi(function) as invoke_api:
        account.authorize()
        function.wait_until_ready()
        print(_introduction(account, invoke_api), flush=True)
        threading.Event().wait()
    return 0


def _introduction(account: Account, invoke_api: InvokeApi) -> str:
    exports = account.environment | {
        "AWS_ENDPOINT_URL_LAMBDA": f"http://{invoke_api.address}",
        "AUTHORIZATION_ENDPOINT": account.provider.authorization_endpoint,
    }
    lines = [f"export {name}={shlex.quote(value)}" for name, value in sorted(exports.items())]
    hour = json.dumps({"command": "clock", "offset_seconds": 23 * 3600})
    return "\n".join(
        [
            "# Secrets Manager, an authorization server and the function run on this machine until you press Ctrl-C.",
            f"# The secret {TOKEN_SECRET_ID} holds a first token set. Paste this into another shell:",
            *lines,
            "",
            "# Then try, for example:",
            "#   .venv/bin/token-refresh status",
            "#   .venv/bin/token-refresh refresh --force",
            f"#   .venv/bin/token-refresh refresh --invoke {FUNCTION_NAME}",
            "# Let 23 hours pass, so that the token is due:",
            f"#   curl -d {shlex.quote(hour)} {account.store.url}/_control",
        ]
    )
