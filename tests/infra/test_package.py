import json
import os
import shutil
import subprocess
import uuid
import zipfile
from pathlib import Path

import pytest

from testbed.aws_lambda.function import SCHEDULED_EVENT, Function
from testbed.aws_lambda.lambda_runtime import LambdaRuntime
from testbed.provider.token_endpoint import TokenEndpoint
from testbed.secrets_manager.server import SecretsManagerServer
from testbed.surroundings import for_installing
from testbed.synthesis import ROOT

LIMIT_BYTES = 2_100_000
IN_THE_RUNTIME = {"boto3", "botocore", "jmespath", "dateutil", "s3transfer", "six.py", "urllib3"}
HEADER_BYTES = 16
UNCHECKED = (1).to_bytes(4, "little")


@pytest.fixture(scope="session")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> LambdaRuntime:
    return LambdaRuntime.install(tmp_path_factory.mktemp("runtime"))


@pytest.fixture
def unpacked(code: Path, tmp_path: Path) -> Path:
    with zipfile.ZipFile(code) as archive:
        archive.extractall(tmp_path)
    return tmp_path


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """What `scripts/package` reads, in a folder as people name theirs; the tools are those that are installed here."""
    folder = tmp_path / "Zoë's copy"
    for name in ("examples", "scripts", "reader", "worker", "locks"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("CHANGELOG.md", "LICENSE", "README.md", "hatch_build.py", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    (folder / ".venv").symlink_to(ROOT / ".venv")
    return folder


def packaged(project: Path, **given: str) -> subprocess.CompletedProcess[str]:
    command = [str(project / "scripts" / "package"), "webhooks"]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=for_installing() | given)


def test_up_to_date(receiver_zip: Path, project: Path) -> None:
    """Nothing is built anew where nothing changed; a changed source is noticed, also where two lines changed places."""
    shutil.copytree(receiver_zip.parent, project / "dist")
    built = project / "dist" / receiver_zip.name

    marked = built.stat().st_ino
    assert (0, f"dist/{built.name}\n") == ((ended := packaged(project)).returncode, ended.stdout)
    assert marked == built.stat().st_ino

    source = project / "reader" / "token_refresh" / "errors.py"
    contents = {built.read_bytes()}
    for lines in (["# first\n", "# second\n"], ["# second\n", "# first\n"]):
        source.write_text((ROOT / "reader/token_refresh/errors.py").read_text() + "".join(lines))
        assert 0 == packaged(project).returncode
        contents.add(built.read_bytes())
    assert 3 == len(contents)


@pytest.mark.parametrize("failing", ["find", "sha256sum", "sort", "mv"])
def test_no_zip_where_a_step_fails(receiver_zip: Path, project: Path, tmp_path: Path, failing: str) -> None:
    """Where a step fails, the script fails and names no zip, and what it leaves is never up to date."""
    shutil.copytree(receiver_zip.parent, project / "dist")
    source, tools = project / "reader" / "token_refresh" / "errors.py", tmp_path / "tools"
    before = source.read_text()
    source.write_text(before + "# changed\n")
    tools.mkdir()
    moves_no_stamp = f'case $1 in */zip) exec {shutil.which("mv")} "$@" ;; esac'
    (tools / failing).write_text(f"#!/bin/sh\n{moves_no_stamp if failing == 'mv' else ''}\nexit 3\n")
    (tools / failing).chmod(0o755)

    failed = packaged(project, PATH=f"{tools}:{os.environ['PATH']}")
    source.write_text(before)

    assert failed.returncode
    assert "" == failed.stdout
    assert 0 == packaged(project).returncode
    assert receiver_zip.read_bytes() == (project / "dist" / receiver_zip.name).read_bytes()


def test_small(code: Path) -> None:
    """The zip has all of `worker/`, what it needs and the runtime lacks, no command line, and stays under 2 MB."""
    with zipfile.ZipFile(code) as archive:
        names = archive.namelist()
    top = {name.split("/")[0] for name in names}

    assert code.stat().st_size < LIMIT_BYTES
    assert {"token_refresh", "token_refresh_worker", "httpx", "structlog", "tenacity"} <= top
    assert "token_refresh_admin" not in top
    worker = {path.relative_to(ROOT / "worker").as_posix() for path in (ROOT / "worker").rglob("*.py")}
    assert worker == {name for name in names if name.startswith("token_refresh_worker/") and name.endswith(".py")}
    assert set() == top & IN_THE_RUNTIME
    assert [] == [name for name in top if name.endswith(".so")]


def test_compiled(code: Path, runtime: LambdaRuntime) -> None:
    """Every module has bytecode of the runtime's own version, which it loads without a look at any source's time."""
    if "3.13" not in runtime.python[0] and not shutil.which("python3.13"):
        pytest.skip("there is no Python 3.13 here: the zip has sources alone, as scripts/package says")
    magic = subprocess.run(
        [*runtime.python, "-c", "import importlib.util as u; print(u.MAGIC_NUMBER.hex())"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    with zipfile.ZipFile(code) as archive:
        names = set(archive.namelist())
        compiled = {name: archive.read(name)[:HEADER_BYTES] for name in names if name.endswith(".pyc")}

    sources = {name for name in names if name.endswith(".py")}
    assert sources == {name.replace("__pycache__/", "").replace(".cpython-313.pyc", ".py") for name in compiled}
    assert {(magic, UNCHECKED)} == {(header[:4].hex(), header[4:8]) for header in compiled.values()}


def test_another_version_of_python(receiver_zip: Path, project: Path) -> None:
    """A zip for another version is another zip, which has that version's bytecode or, where it lacks here, none."""
    shutil.copytree(receiver_zip.parent, project / "dist")
    built = project / "dist" / receiver_zip.name

    def suffixes(version: str) -> set[str]:
        ended = packaged(project, FUNCTION_PYTHON=version)
        assert 0 == ended.returncode, ended.stderr
        with zipfile.ZipFile(built) as archive:
            compiled = {name.split(".", 1)[1] for name in archive.namelist() if name.endswith(".pyc")}
        assert compiled or f"no Python {version} here" in ended.stderr
        return compiled

    assert suffixes("3.14") in ({"cpython-314.pyc"}, set())
    assert receiver_zip.read_bytes() != built.read_bytes()
    suffixes("3.13")
    assert receiver_zip.read_bytes() == built.read_bytes()


def test_runs_by_itself(unpacked: Path, runtime: LambdaRuntime) -> None:
    """Unpacked into an empty folder, with nothing else on the path but boto3, the handler refreshes a due token."""
    with SecretsManagerServer() as store, TokenEndpoint(reuse="revokes") as endpoint:
        document = endpoint.token_set(lives_seconds=60)
        store.client().create_secret(
            Name="tokens", SecretString=json.dumps(document), ClientRequestToken=str(uuid.uuid4())
        )
        environment = store.environment | {"TOKEN_SECRET_ID": "tokens", "TOKEN_ENDPOINT": endpoint.url}

        with Function(environment | runtime.environment, task_root=unpacked, python=runtime.python) as function:
            due, fresh = function.invoke(SCHEDULED_EVENT), function.invoke(SCHEDULED_EVENT)

    assert (None, "refreshed") == (due.error_type, (due.payload or {}).get("outcome")), due.error_message
    assert (None, "fresh") == (fresh.error_type, (fresh.payload or {}).get("outcome"))


def test_profiles_of_one_s_own(code: Path, project: Path, tmp_path: Path) -> None:
    """The profiles of a folder of one's own get into a zip that had none, also where folder and files are links."""
    own = tmp_path / "own"
    own.mkdir()
    (tmp_path / "link").symlink_to(own)
    (own / "my-crm.toml").symlink_to(tmp_path / "linked.toml")

    shutil.copytree(code.parent, project / "dist")
    (tmp_path / "linked.toml").write_bytes(b"title = 'My CRM'")
    given = for_installing() | {"PROVIDER_PROFILES": str(tmp_path / "link")}

    subprocess.run([project / "scripts" / "package"], check=True, capture_output=True, env=given)

    profiles = "token_refresh_worker/providers/profiles"
    with zipfile.ZipFile(project / "dist" / "token-refresh-worker.zip") as archive:
        assert b"title = 'My CRM'" == archive.read(f"{profiles}/my-crm.toml")
        assert archive.read(f"{profiles}/upwork.toml")
