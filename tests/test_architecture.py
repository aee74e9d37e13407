"""What must hold of the code as a whole."""

import ast
import re
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from repository import texts_of, tracked, tree_of

GROUP = "unmeasured"

ROOT = Path(__file__).parent.parent
READER = ROOT / "reader" / "token_refresh"
WORKER = ROOT / "worker" / "token_refresh_worker"
ADMIN = ROOT / "admin" / "token_refresh_admin"
PRODUCT = (READER, WORKER, ADMIN)
PURE_ROOMS = (*(WORKER / room for room in ("core", "fleet/core", "oauth", "stored")), READER / "stored")
PURE_FILES = (
    *(READER / name for name in ("advice.py", "aws/arn.py", "errors.py", "secret_value.py")),
    *(WORKER / "run" / name for name in ("outcome.py",)),
    WORKER / "providers" / "lifetime.py",
)
WEBHOOKS = READER / "webhooks"
SIGNATURES = [*(WEBHOOKS / f"{name}.py" for name in ("metadata", "delivery", "errors", "headers", "scheme"))]
SIGNATURES += (WEBHOOKS / "senders").glob("*.py")
PURE_MODULES = sorted([*(path for room in PURE_ROOMS for path in room.glob("*.py")), *SIGNATURES])


def name_of(path: Path) -> str:
    """The name by which a module or a folder is imported."""
    (package,) = [package for package in PRODUCT if path.is_relative_to(package)]
    return ".".join(path.relative_to(package.parent).with_suffix("").parts)


PURE_IMPORTS = tuple(name_of(path) for path in (*PURE_ROOMS, *PURE_FILES, *SIGNATURES))
PURE = {
    "base64",
    "binascii",
    "collections",
    "contextlib",
    "dataclasses",
    "datetime",
    "enum",
    "functools",
    "hashlib",
    "hmac",
    "itertools",
    "json",
    "math",
    "re",
    "shlex",
    "token_refresh",
    "token_refresh_worker",
    "typing",
    "urllib",
    "uuid",
    "zlib",
}
ACTS = {"datetime.now", "datetime.utcnow", "date.today", "uuid.uuid1", "uuid.uuid4", "print", "open", "input"}


def imports(path: Path) -> set[str]:
    """The full names that a module imports."""
    return imports_of(tree_of(path))


def imports_of(tree: ast.AST) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found


@pytest.mark.parametrize("path", PURE_MODULES, ids=lambda p: f"{p.parent.name}/{p.name}")
def test_pure_rooms_do_nothing_that_acts(path: Path) -> None:
    """Core, OAuth, stored formats and what judges a signature import pure parts of Python and each other.

    `now` and chance are arguments.
    """
    found = imports(path)
    called = {ast.unparse(node.func) for node in ast.walk(tree_of(path)) if isinstance(node, ast.Call)}

    assert set() == {name.split(".")[0] for name in found} - PURE
    ours = {name for name in found if name.startswith("token_refresh")}
    assert set() == {name for name in ours if not name.startswith(PURE_IMPORTS)}
    assert set() == {name for name in found if name.startswith("urllib")} - {"urllib.parse"}
    assert set() == called & ACTS


def test_importing_the_handler_reads_no_configuration() -> None:
    """Importing the handler depends on no variable, and loads neither a fleet's parts nor what only a refresh needs."""
    costly = ("token_refresh_worker.fleet", "httpx")
    code = f"import sys, token_refresh_worker.handlers; sys.exit(any(m.startswith({costly}) for m in sys.modules))"
    subprocess.run(  # noqa: S603 - ours
        [sys.executable, "-c", code], check=True, env={"REFRESH_WINDOW_SECONDS": "nonsense", "PYTHONWARNINGS": "error"}
    )


DISTRIBUTIONS = {WORKER: ROOT, READER: ROOT / "reader", ADMIN: ROOT / "admin"}
"""Where the `pyproject.toml` of each package is."""
BROUGHT_BY_OTHERS = {
    "botocore": "boto3 pins its version, and documents its exceptions as its own",
    "pytest": "who loads the plugin of `token_refresh.testing` has pytest",
    "snapshot_restore_py": "Lambda's runtime has it",
}
"""What is imported and not declared, and who brings it."""


def imported_packages(package: Path) -> set[str]:
    """The packages that a package imports when it runs: the standard library, itself and types left out."""
    found = set()
    for path in package.rglob("*.py"):
        tree = ast.parse(path.read_text())  # of its own: it is changed
        for node in ast.walk(tree):
            if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
                node.body = []
        found |= {name.split(".")[0] for name in imports_of(tree)}
    return found - sys.stdlib_module_names - {package.name}


@pytest.mark.parametrize("package", PRODUCT, ids=lambda path: path.name)
def test_what_is_imported_is_declared(package: Path) -> None:
    """Each distribution declares the packages that it imports, and imports the packages that it declares."""
    project = tomllib.loads((DISTRIBUTIONS[package] / "pyproject.toml").read_text())["project"]
    extras = project.get("optional-dependencies", {})
    libraries = [need for name, needs in extras.items() if name in {"httpx", "httpx2", "requests"} for need in needs]
    names = {re.split(r"[^a-z0-9-]", need)[0] for need in (*project["dependencies"], *libraries)}
    declared = {name.replace("-", "_") for name in names}

    assert declared == imported_packages(package) - BROUGHT_BY_OTHERS.keys()


SHARED_NAMES = {
    "TokenAuth": "one each for httpx, httpx2 and requests: a service imports the one of its library",
    "TokenEndpoint": "the port that a run asks, and the server that tests have in its place",
}
"""Class names that are defined twice, and why: three at most."""


def names_of_classes(path: Path) -> Iterator[str]:
    """The classes of a module, and the names that it gives to other types for its importers."""
    tree = tree_of(path)
    assigned = [node.targets[0] for node in tree.body if isinstance(node, ast.Assign)]
    yield from (node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef))
    yield from (to.id for to in assigned if isinstance(to, ast.Name) and re.fullmatch("[A-Z][a-z].*", to.id))


def test_a_class_name_has_one_meaning() -> None:
    """Who reads a public class name in product or testbed knows which class it is; the product's private ones, too."""
    rooms = (*PRODUCT, ROOT / "infra" / "token_refresh_infra")
    modules = [*(path for room in rooms for path in room.rglob("*.py")), *(ROOT / "infra").glob("*.py")]
    doubles = list((ROOT / "testbed").rglob("*.py"))
    nodes = [node for path in (*modules, *doubles) for node in tree_of(path).body]
    ours = Counter(name.lstrip("_") for path in modules for name in names_of_classes(path))
    public = Counter(node.name for node in nodes if isinstance(node, ast.ClassDef) and not node.name.startswith("_"))

    assert SHARED_NAMES.keys() == {name for named in (ours, public) for name, count in named.items() if count > 1}
    assert len(SHARED_NAMES) <= 3


SHARED_WORDS = {
    "T": "a type variable, by convention",
    "logger": "a module's own, by convention",
    "pause": "a command's function has its last word, here of `pause` and `fleet pause`",
    "refresh": "the function's entry point, and the command that does the same",
    "resume": "as `pause`",
    "resync": "as `refresh`, for a fleet",
    "status": "as `pause`",
}
"""Public names of constants and functions that are defined twice, and why."""


def test_a_constant_or_function_has_one_meaning() -> None:
    """Reader, worker and command line define each public constant and function of a module once."""
    defined: Counter[str] = Counter()
    for path in (path for room in PRODUCT for path in room.rglob("*.py")):
        for node in tree_of(path).body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                defined[node.name] += 1
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            defined.update(target.id for target in targets if isinstance(target, ast.Name))

    assert set(SHARED_WORDS) == {name for name, count in defined.items() if count > 1 and not name.startswith("_")}


CHANGES = {
    "Invocation": "begins before what it runs can be made",
    "Memory": "what a run learns",
    "RequestSender": "whether a request may have been received",
    "Run": "makes its parts when it needs them",
    "RunState": "as `Memory`",
    "SnapshotReader": "what one round of reads has found",
    "_Visit": "what a connection has sent so far",
}
"""The dataclasses that can be changed, and what changes in them."""


def dataclasses_of(*rooms: Path) -> dict[str, str]:
    """The dataclasses of some rooms, each with its decorator."""
    nodes = [node for room in rooms for path in room.rglob("*.py") for node in ast.walk(tree_of(path))]
    classes = [
        (node.name, ast.unparse(of)) for node in nodes if isinstance(node, ast.ClassDef) for of in node.decorator_list
    ]
    return {name: of for name, of in classes if of.partition("(")[0] == "dataclass"}


def test_a_value_can_not_be_changed() -> None:
    """Dataclasses of the product are frozen, but for a few that are there to change."""
    assert CHANGES.keys() == {name for name, of in dataclasses_of(*PRODUCT).items() if "frozen=True" not in of}


def test_a_value_prints_nothing_that_it_holds() -> None:
    """A value of the inner rooms may hold a token, or a part that does: its text names its class alone."""
    inner = [WORKER / room for room in ("adapters", "core", "oauth", "providers", "run", "stored")]
    inner.append(ADMIN / "changes")

    assert {} == {name: of for name, of in dataclasses_of(*inner).items() if "repr=False" not in of}


WRITTEN_COMMAND = re.compile(
    r"`([{%]|(token-refresh|aws|npx|scripts/|chmod|touch)\b)"  # in backticks
    r"|(?<!\S)(token-refresh|aws|npx)( [a-z-]+)+ $"  # before a value
)


def is_written_command(text: str) -> bool:
    """Whether a text has a command, or one of a pair of backticks: what is between them may be a value."""
    return text.count("`") % 2 == 1 or WRITTEN_COMMAND.search(text) is not None


def test_commands_are_values() -> None:
    """No module writes a command into a text, or quotes words for a shell: `Command` does both, and for each word."""
    # Not infra: the values in an alarm's description are parameters of the deployment, which synthesis checks.
    modules = [path for room in PRODUCT for path in room.rglob("*.py") if path != READER / "advice.py"]

    assert [] == [text for path in modules for text in texts_of(path) if is_written_command(text[1])]
    assert [] == [path.relative_to(ROOT) for path in modules if "shlex" in imports(path)]


def every_test() -> list[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    return [
        (path.relative_to(ROOT).as_posix(), node)
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    ]


def test_every_test_states_its_truth() -> None:
    """Each test has a sentence as its docstring."""
    silent = [
        f"{path}: {node.name}"
        for path, node in every_test()
        if not (ast.get_docstring(node) or "").rstrip().endswith(".")
    ]

    assert [] == silent


def test_at_night_all_values_are_tried() -> None:
    """Whatever tries a part of its values in `scripts/test` is run by the nightly workflow, which tries them all."""
    nightly = (ROOT / ".github" / "workflows" / "nightly.yml").read_text()
    (line,) = re.findall(r"scripts/test (.*)", nightly)
    run = [ROOT / part for part in line.split()]
    parts = re.compile(r"\bSHARE\b|\b(examples|drawn|drawn_at)\(")
    users = [path for path in ROOT.glob("tests/*/*.py") if parts.search(path.read_text())]
    # A helper has its tests beside it.
    beside = {path: path if path.name.startswith("test_") else path.parent for path in users}

    assert {} == {path: of for path, of in beside.items() if not any(related(of, part) for part in run)}
    assert "EXAMPLES: all" in nightly


def related(one: Path, other: Path) -> bool:
    return one.is_relative_to(other) or (one.is_dir() and other.is_relative_to(one))


def test_no_file_names_a_package_registry() -> None:
    """Packages are named by name, version and hash; who serves them is nobody's business but the installer's."""
    hosts = tuple(".".join(parts) for parts in (("pypi", "org"), ("pythonhosted", "org"), ("registry", "npmjs")))

    naming = [
        name
        for name in tracked()
        if (ROOT / name).is_file() and any(host.encode() in (ROOT / name).read_bytes() for host in hosts)
    ]
    assert [] == naming
