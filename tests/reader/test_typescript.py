"""The reader for TypeScript (`reader-typescript/`) does what this one does, and programs that use it compile and run.

One run of the compiler checks the reader, the programs of docs/amplify.md with the types of the CDK, and the README's
example of a test.
"""

import json
import re
import secrets
import shutil
import tarfile
import textwrap
import time
from collections.abc import Iterator
from http import HTTPStatus
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from examples import SHARE
from reader import secret_vectors, vectors
from reader.typescript import NODE_MODULES, PACKAGE, node
from testbed.secrets_manager.server import SecretsManagerServer
from testbed.webhooks.events import http_v1, http_v2, rest, staged_http_v2
from testbed.webhooks.signing import SECRETS, sent
from token_refresh import __version__

GROUP = "unmeasured"

WITH_CDK = SHARE == 1
"""The compiler reads its types for as long as all else takes."""
MANY = 20
"""So many failures are named only."""
PAGE = PACKAGE.parent / "docs" / "amplify.md"
ROUTER, STRIPE = "functions/webhooks/handler", "functions/stripe/handler"
STORED = {
    "chinchilla-ai-academy/prod/slack": json.dumps({"signingSecret": SECRETS["slack"]}),
    "myapp/prod/stripe-webhook-secret": SECRETS["stripe"],
    "myapp/prod/github-webhook-secret": SECRETS["github"],
    "myapp/prod/google-oauth": '{"clientId": "a", "clientSecret": "b"}',
}
# What its documentation says of `defineFunction` and `defineBackend`; the package itself has 300 others.
BACKEND = """
import type { Stack } from "aws-cdk-lib";
import type { IFunction } from "aws-cdk-lib/aws-lambda";
export interface BackendSecret { readonly isSecret: true }
export declare function secret(name: string): BackendSecret;
export interface FunctionProps {
  name?: string; entry?: string; timeoutSeconds?: number; memoryMB?: number;
  environment?: Record<string, string | BackendSecret>;
}
export interface DefinedFunction { readonly props: FunctionProps }
export declare function defineFunction(props?: FunctionProps): DefinedFunction;
export declare function defineBackend<T extends Record<string, DefinedFunction>>(
  parts: T,
): { [K in keyof T]: {
  stack: Stack; resources: { lambda: IFunction }; addEnvironment(key: string, value: string | BackendSecret): void;
} };
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
    "include": ["amplify", "service"],
}
STAND_INS = {
    "@aws-amplify/backend/package.json": '{"type": "module", "exports": "./index.js"}',
    "@aws-amplify/backend/index.js": """
export const secret = (name) => console.log(`${name} is a sandbox secret`);
export const defineFunction = (props) => props;
const lambda = { role: { addManagedPolicy: (it) => console.log(`policy ${it}`) }, addFunctionUrl() {} };
const made = { resources: { lambda }, addEnvironment: (key, value) => console.log(`${key} ${value}`) };
export const defineBackend = (parts) => Object.fromEntries(Object.keys(parts).map((name) => [name, made]));
""",
    "aws-cdk-lib/package.json": '{"type": "module", "exports": {"./*": "./*.js"}}',
    "aws-cdk-lib/aws-iam.js": "export const ManagedPolicy = { fromManagedPolicyArn: (_scope, _id, arn) => arn };",
    "aws-cdk-lib/aws-lambda.js": "export const FunctionUrlAuthType = {};",
}
"""What runs in place of Amplify and the CDK: it says what a role and a function got."""
CALLS = """
for (const [file, event] of JSON.parse(process.argv[2])) {
  const found = await (await import(file)).handler(event);
  console.log(found.statusCode);
}
"""


READER = {
    "extends": str(PACKAGE / "tsconfig.json"),
    "compilerOptions": {"outDir": "dist", "rootDir": str(PACKAGE / "src"), "skipLibCheck": True},
    "include": [str(PACKAGE / "src")],
}


class Compiled(NamedTuple):
    """The reader with its tests, an app that uses it, and what the compiler said."""

    reader: Path
    app: Path
    said: str


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    """The reader, and an Amplify app made of the page's programs; one of them has a mistake."""
    reader, app = (tmp_path_factory.mktemp(name) for name in ("reader", "app"))
    (reader / "node_modules").symlink_to(NODE_MODULES)
    shutil.copy(PACKAGE / "package.json", reader)
    shutil.copytree(PACKAGE / "test", reader / "test")
    packages = app / "node_modules"
    (packages / "@aws-amplify" / "backend").mkdir(parents=True)
    (packages / "@aws-amplify" / "backend" / "index.d.ts").write_text(BACKEND)
    (packages / "@aws-amplify" / "backend" / "package.json").write_text('{"types": "index.d.ts", "type": "module"}')
    programs = _programs()
    if WITH_CDK:
        _unpack_types("aws_cdk", packages / "aws-cdk-lib")
        _unpack_types("constructs", packages / "constructs")
        _leave_out_services(packages / "aws-cdk-lib" / "index.d.ts")
    else:
        del programs["amplify/backend.ts"]
        for module, name in (("", "Stack"), ("aws-lambda", "IFunction")):
            (packages / "aws-cdk-lib" / module).mkdir(parents=True, exist_ok=True)
            (packages / "aws-cdk-lib" / module / "index.d.ts").write_text(f"export interface {name} {{}}")
    (packages / "token-refresh-reader").symlink_to(reader)
    for package in ("@types", "undici-types"):
        (packages / package).symlink_to(NODE_MODULES / package)
    for name, program in programs.items():
        (app / name).parent.mkdir(parents=True, exist_ok=True)
        (app / name).write_text(program)
    (app / "package.json").write_text('{"type": "module"}')
    (app / "calls.mjs").write_text(CALLS)
    for folder, configuration in ((reader, READER), (app, CONFIGURATION)):
        (folder / "tsconfig.json").write_text(json.dumps(configuration))
    done = node(app, NODE_MODULES / "typescript" / "bin" / "tsc", "--build", reader, app)
    return Compiled(reader, app, done.stdout + done.stderr)


def _unpack_types(package: str, folder: Path) -> None:
    """Unpack what the compiler reads: Python's CDK comes with the package of TypeScript. Its code never runs here."""
    spec = find_spec(package)
    assert spec is not None
    (archive,) = Path(str(spec.origin)).parent.glob("_jsii/*.tgz")
    with tarfile.open(archive) as files:
        for each in files:
            if each.name.endswith((".d.ts", "package/package.json")):
                content, target = files.extractfile(each), folder / each.name.removeprefix("package/")
                assert content is not None
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content.read())


def _leave_out_services(index: Path) -> None:
    """Take 300 services out of the CDK's index: the page imports its own by their paths."""
    index.write_text(re.sub(r"^export \* as .*\n?", "", index.read_text(), flags=re.MULTILINE))


def _programs() -> dict[str, str]:
    """Take the programs off the pages and the one to copy; the first line of each of docs/amplify.md names its file."""
    blocks = re.findall(r"^( *)```ts\n(.*?)^ *```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    programs = [textwrap.dedent(code) for _, code in blocks]
    found = {program.partition("\n")[0].removeprefix("// "): program for program in programs}
    found["amplify/functions/webhooks/verify.ts"] = (PACKAGE.parent / "examples" / "webhook_verify.ts").read_text()
    # The page shows one resource.ts, which the others are like.
    shown = found["amplify/functions/webhooks/resource.ts"]
    for name in ("stripe", "upwork"):
        found[f"amplify/functions/{name}/resource.ts"] = shown.replace("webhooks", name)
    found["amplify/functions/google/mistake.ts"] = found["amplify/functions/google/client.ts"].replace(
        "google.json()", "google.jsn()"
    )
    readme = (PACKAGE / "README.md").read_text(encoding="utf-8")
    (found["service/service.test.ts"],) = re.findall(r"## Test your service\n.*?```ts\n(.*?)```", readme, re.DOTALL)
    return found


def statuses(app: Path, calls: list[tuple[str, dict[str, Any]]], **variables: str) -> list[int]:
    """Call handlers with events, one after the other."""
    named = [(str(app / "amplify" / f"{handler}.js"), event) for handler, event in calls]
    done = node(app, "calls.mjs", json.dumps(named), **variables)
    assert 0 == done.returncode, done.stderr
    return [int(line) for line in done.stdout.split()]


def test_the_programs_compile(compiled: Compiled) -> None:
    """Every program passes the compiler; each night the one with the CDK, too. What a user would get wrong is seen."""
    said = [re.sub(r"\(\d+,\d+\)", "", line) for line in compiled.said.splitlines()]

    wrong = "Property 'jsn' does not exist on type 'SecretReader'. Did you mean 'json'?"
    assert [f"amplify/functions/google/mistake.ts: error TS2551: {wrong}"] == said
    made = {path.name for path in (compiled.app / "amplify").iterdir()}
    assert {"functions", *(["backend.js"] if WITH_CDK else [])} <= made


def deliveries() -> Iterator[tuple[tuple[str, Any], int]]:
    """Events for the handlers, and the statuses that they get: signed, forged, old, and at another path."""
    now = int(time.time())
    for shape, kind in product((http_v2, staged_http_v2, http_v1, rest), ("slack", "stripe", "github")):
        for path, request, status in (
            (f"/webhooks/{kind}", sent(kind, at=now), HTTPStatus.OK),
            (f"/webhooks/{kind}", sent(kind, at=now, secret="whsec_another"), HTTPStatus.UNAUTHORIZED),
            ("/webhooks/other", sent(kind, at=now), HTTPStatus.NOT_FOUND),
            # GitHub signs no time.
            (
                f"/webhooks/{kind}",
                sent(kind, at=now - 301),
                HTTPStatus.OK if kind == "github" else HTTPStatus.UNAUTHORIZED,
            ),
        ):
            event = shape("POST", path, request.headers, request.body)
            yield (ROUTER, event), status
            if kind == "stripe" and status != HTTPStatus.NOT_FOUND:
                yield (STRIPE, event), status
    signed = sent("stripe", at=now)
    event = rest("POST", "/webhooks/stripe", signed.headers, signed.body)
    # The path of a REST API has no stage.
    yield (ROUTER, event | {"requestContext": {"stage": "webhooks"}}), HTTPStatus.OK


def test_signed_and_forged_deliveries(compiled: Compiled) -> None:
    """Signed deliveries get 200, forged and old ones 401, another path 404: in the router, and in Stripe's handler."""
    calls, expected = zip(*deliveries(), strict=True)
    with SecretsManagerServer() as server:
        for name, value in STORED.items():
            server.client().create_secret(Name=name, SecretString=value)

        assert [*expected] == statuses(compiled.app, [*calls], **server.environment, ENV="prod")


def test_a_sandbox_has_secrets_of_its_own(compiled: Compiled) -> None:
    """Without a branch's environment the handlers ask nobody: they take what the sandbox puts into variables."""
    calls, expected = zip(*deliveries(), strict=True)
    names = {"SLACK_SIGNING_SECRET": "slack", "STRIPE_WEBHOOK_SECRET": "stripe", "GITHUB_WEBHOOK_SECRET": "github"}

    given = {name: SECRETS[sender] for name, sender in names.items()}
    assert [*expected] == statuses(compiled.app, [*calls], **given)
    missing = node(compiled.app, "calls.mjs", json.dumps([(str(compiled.app / "amplify" / f"{STRIPE}.js"), {})]))
    assert "npx ampx sandbox secret set STRIPE_WEBHOOK_SECRET" in missing.stderr


@pytest.mark.parametrize(("branch", "environment"), [("main", "prod"), ("dev", "dev"), ("pr-7", None), (None, None)])
def test_each_branch_has_its_own_secrets(
    compiled: Compiled, tmp_path: Path, branch: str | None, environment: str | None
) -> None:
    """A branch gets its environment's policy, one that nobody listed is not built, and a sandbox gets nothing."""
    shutil.copytree(compiled.app / "amplify" / "functions", tmp_path / "functions")
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "backend.ts").write_text(_programs()["amplify/backend.ts"])
    for file, code in STAND_INS.items():
        (tmp_path / "node_modules" / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "node_modules" / file).write_text(code)

    built = node(tmp_path, "--experimental-strip-types", "backend.ts", **({"AWS_BRANCH": branch} if branch else {}))

    assert (branch == "pr-7") == ("no environment is named for branch pr-7" in built.stderr) == (built.returncode != 0)
    policy = f"arn:aws:iam::123456789012:policy/token-refresh-myapp-{environment}-ReadTokens"
    one = [f"policy {policy}", f"ENV {environment}"]
    assert (3 * one if environment else []) == [it for it in built.stdout.splitlines() if "sandbox" not in it]
    assert (branch is None) == ("SLACK_SIGNING_SECRET is a sandbox secret" in built.stdout)


def test_the_vectors_are_this_reader_s(caplog: pytest.LogCaptureFixture) -> None:
    """The file holds what this reader does; `PYTHONPATH=tests .venv/bin/python -m reader.vectors` writes it anew."""
    caplog.set_level("ERROR")

    for module in (vectors, secret_vectors):
        assert vectors.text(module.vectors()) == module.FILE.read_text(encoding="utf-8")


def test_its_tests_pass(compiled: Compiled, caplog: pytest.LogCaptureFixture) -> None:
    """It passes its tests and vectors; both readers judge 100 random documents and lives alike, each night more."""
    caplog.set_level("ERROR")
    seed = secrets.randbelow(2**40)
    documents, lives = (10_000, 2_000) if SHARE == 1 else (100, 100)
    file = compiled.reader / "random.json"
    file.write_text(vectors.text(vectors.random_vectors(seed, documents=documents, lives=lives)), encoding="utf-8")

    together = "--test-isolation=none"  # else each file has a process of its own, which takes twice the time
    done = node(compiled.reader, "--test", together, "--test-reporter=tap", VECTORS=str(file))

    failed = re.findall(r"^ *not ok \d+ - (.*)$", done.stdout, re.MULTILINE)
    assert 0 == done.returncode, f"failed: {failed}\n{done.stdout if len(failed) < MANY else failed}"
    assert done.stdout.count("# Subtest: ") > len(vectors.vectors()) + documents + lives


def test_a_service_is_tested_with_the_fakes(compiled: Compiled) -> None:
    """The README's example passes in a folder of its own, against the package as it is installed."""
    done = node(compiled.app, "--test", "--test-reporter=tap", "service/service.test.js")

    assert 0 == done.returncode, done.stdout
    assert 3 == len(re.findall(r"^ok ", done.stdout, re.MULTILINE))


def test_one_version() -> None:
    """It has the others' version, needs the AWS SDK of its user alone, and is installed without scripts."""
    package = json.loads((PACKAGE / "package.json").read_text(encoding="utf-8"))

    assert __version__ == package["version"]
    assert ["@aws-sdk/client-lambda", "@aws-sdk/client-secrets-manager"] == list(package["peerDependencies"])
    assert {"@aws-sdk/client-lambda": {"optional": True}} == package["peerDependenciesMeta"]
    assert "dependencies" not in package
    assert "://" not in (PACKAGE / "package-lock.json").read_text(encoding="utf-8")
    assert "ignore-scripts=true" in (PACKAGE / ".npmrc").read_text(encoding="utf-8")
