"""The programs of docs/amplify.md: compiled with the types of the CDK, and run against a store on loopback."""

import json
import re
import tarfile
import textwrap
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from reader.typescript import PACKAGE, node
from testbed.secrets_manager.server import SecretsManagerServer
from testbed.webhooks.events import http_v2
from testbed.webhooks.signing import SECRETS, sent

PAGE = Path(__file__).parents[2] / "docs" / "amplify.md"
ROUTER, STRIPE = "functions/webhooks/handler", "functions/stripe/handler"
STORED = {
    "chinchilla-ai-academy/prod/slack": json.dumps({"signingSecret": SECRETS["slack"]}),
    "stripe-webhook-secret": SECRETS["stripe"],
    "github-webhook-secret": SECRETS["github"],
    "myapp/prod/google-oauth": '{"clientId": "a", "clientSecret": "b"}',
}
# What its documentation says of `defineFunction` and `defineBackend`; the package itself has 300 others.
BACKEND = """
import type { Stack } from "aws-cdk-lib";
import type { IFunction } from "aws-cdk-lib/aws-lambda";
export interface FunctionProps { name?: string; entry?: string; timeoutSeconds?: number; memoryMB?: number }
export interface DefinedFunction { readonly props: FunctionProps }
export declare function defineFunction(props?: FunctionProps): DefinedFunction;
export declare function defineBackend<T extends Record<string, DefinedFunction>>(
  parts: T,
): { [K in keyof T]: { stack: Stack; resources: { lambda: IFunction } } };
"""
CONFIGURATION = {
    "compilerOptions": {
        "target": "ES2022",
        "module": "NodeNext",
        "lib": ["ES2022"],
        "types": ["node"],
        "strict": True,
        "noUnusedLocals": True,
        "exactOptionalPropertyTypes": True,
        "noUncheckedIndexedAccess": True,
        "skipLibCheck": True,
    },
    "include": ["amplify"],
}
CALL = """
const [file, event] = JSON.parse(process.argv[2]);
const found = await (await import(file)).handler(event);
process.stdout.write(String(found.statusCode));
"""


@pytest.fixture(scope="module")
def app(typescript: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An Amplify app made of the page's programs, with the packages that they import."""
    app = tmp_path_factory.mktemp("app")
    packages = app / "node_modules"
    (packages / "@aws-amplify" / "backend").mkdir(parents=True)
    (packages / "@aws-amplify" / "backend" / "index.d.ts").write_text(BACKEND)
    (packages / "@aws-amplify" / "backend" / "package.json").write_text('{"types": "index.d.ts", "type": "module"}')
    _unpack_types("aws_cdk", packages / "aws-cdk-lib")
    _unpack_types("constructs", packages / "constructs")
    _leave_out_services(packages / "aws-cdk-lib" / "index.d.ts")
    (packages / "token-refresh-reader").symlink_to(typescript)
    for package in ("@types", "undici-types"):
        (packages / package).symlink_to(PACKAGE / "node_modules" / package)
    for name, program in _programs().items():
        (app / name).parent.mkdir(parents=True, exist_ok=True)
        (app / name).write_text(program)
    (app / "package.json").write_text('{"type": "module"}')
    (app / "tsconfig.json").write_text(json.dumps(CONFIGURATION))
    (app / "call.mjs").write_text(CALL)
    return app


@pytest.fixture(scope="module")
def compiled(app: Path) -> Path:
    done = node(app, PACKAGE / "node_modules" / "typescript" / "bin" / "tsc")
    assert 0 == done.returncode, done.stdout
    return app


def _unpack_types(package: str, folder: Path) -> None:
    """Unpack what the compiler reads: Python's CDK comes with the package of TypeScript. Its code never runs here."""
    spec = find_spec(package)
    assert spec is not None
    (archive,) = Path(str(spec.origin)).parent.glob("_jsii/*.tgz")
    with tarfile.open(archive) as files:
        for each in files:
            if each.name.endswith((".d.ts", "package/package.json")):
                each.name = each.name.removeprefix("package/")
                files.extract(each, folder, filter="data")


def _leave_out_services(index: Path) -> None:
    """Take 300 services out of the CDK's index: the page imports its own by their paths."""
    index.write_text(re.sub(r"^export \* as .*\n?", "", index.read_text(), flags=re.MULTILINE))


def _programs() -> dict[str, str]:
    """Take the programs off the page; the first line of each names its file."""
    blocks = re.findall(r"^( *)```ts\n(.*?)^ *```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    programs = [textwrap.dedent(code) for _, code in blocks]
    found = {program.partition("\n")[0].removeprefix("// "): program for program in programs}
    # The page shows one resource.ts, which the others are like.
    shown = found["amplify/functions/webhooks/resource.ts"]
    for name in ("stripe", "upwork"):
        found[f"amplify/functions/{name}/resource.ts"] = shown.replace("webhooks", name)
    return found


def call(app: Path, server: SecretsManagerServer, handler: str, event: dict[str, Any]) -> int:
    file = str(app / "amplify" / f"{handler}.js")
    done = node(app, "call.mjs", json.dumps([file, event]), **server.environment)
    assert 0 == done.returncode, done.stderr
    return int(done.stdout)


def test_the_programs_compile(compiled: Path) -> None:
    """Every program of the page passes the compiler: handlers, and the backend with the CDK's own types."""
    assert {"backend.js", "functions"} <= {path.name for path in (compiled / "amplify").iterdir()}


def test_a_mistake_in_a_program_is_seen(app: Path, tmp_path: Path) -> None:
    """The compiler sees what a reader's user would get wrong: the check is not an empty one."""
    (tmp_path / "node_modules").symlink_to(app / "node_modules")
    (tmp_path / "amplify").mkdir()
    for name in ("package.json", "tsconfig.json"):
        (tmp_path / name).write_text((app / name).read_text())
    wrong = _programs()["amplify/functions/google/client.ts"].replace("await google.json()", "google.jsn()")
    (tmp_path / "amplify" / "client.ts").write_text(wrong)

    done = node(tmp_path, PACKAGE / "node_modules" / "typescript" / "bin" / "tsc", "--noEmit")

    assert "Property 'jsn' does not exist on type 'SecretReader'" in done.stdout


@pytest.mark.parametrize("kind", ["slack", "stripe", "github"])
def test_signed_and_forged_deliveries(compiled: Path, kind: str) -> None:
    """Signed deliveries get 200, forged and old ones 401, another path 404: in the router, and in Stripe's handler."""
    with SecretsManagerServer() as server:
        for name, value in STORED.items():
            server.client().create_secret(Name=name, SecretString=value)

        def status(handler: str = ROUTER, path: str = f"/webhooks/{kind}", at: float = 0, **changes: Any) -> int:
            request = sent(kind, at=int(time.time() + at), **changes)
            return call(compiled, server, handler, http_v2("POST", path, request.headers, request.body))

        assert (200, 401, 404) == (status(), status(secret="whsec_another"), status(path="/webhooks/other"))
        assert (401 if kind != "github" else 200) == status(at=-301)  # GitHub signs no time
        if kind == "stripe":
            assert (200, 401) == (status(STRIPE), status(STRIPE, secret="whsec_another"))
