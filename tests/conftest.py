"""What every test leaves as it found it, and what the tests of a deployment share."""

import functools
import gc
import logging
import os
import re
import signal
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import botocore.hooks
import botocore.httpsession
import botocore.session
import httpx
import hypothesis
import pytest

import token_refresh_worker.cold_start  # noqa: F401 - turns the garbage collector off, which is on in tests
from examples import SEED
from testbed.forks import PROGRAM
from testbed.process import Child
from testbed.programs import write_program
from testbed.surroundings import for_installing, forget_settings

if TYPE_CHECKING:
    from testbed.emulator import Emulator

ROOT = Path(__file__).parents[1]


if "CONFORMANCE_LIVE_REGION" not in os.environ:  # whoever checks the real service has chosen the account
    forget_settings()
gc.enable()
# A busy machine can hold any made-up value, or what makes it, for a second.
hypothesis.settings.register_profile(
    "unhurried", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("unhurried")
# A shell starts what runs in the background deaf to Ctrl-C, and with it whatever the tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Every session reads AWS's descriptions of its services, half of what a client costs. Here all share what one has read.
botocore.session.create_loader = functools.cache(botocore.session.create_loader)
# Likewise what each session finds out about its 130 handlers, half of the other half.
botocore.hooks.accepts_kwargs = functools.cache(botocore.hooks.accepts_kwargs)
# Half a millisecond each, and with all certificates 5: a client makes a context, also for http:// alone.
botocore.httpsession.create_urllib3_context = functools.cache(botocore.httpsession.create_urllib3_context)
transports: Any = httpx._transports.default  # noqa: SLF001 - no public name
transports.create_ssl_context = functools.cache(transports.create_ssl_context)
aliaser: Any = botocore.hooks.EventAliaser
aliaser._alias_event_name = staticmethod(functools.cache(aliaser(None)._alias_event_name))  # noqa: SLF001 - no public name
# Under another HOME, the CDK unpacks its library again, which takes most of the time of a synthesis.
os.environ.setdefault("JSII_RUNTIME_PACKAGE_CACHE_ROOT", str(Path.home() / ".cache" / "aws" / "jsii" / "package-cache"))


GROUP = re.compile(r'^GROUP = "(?P<name>\w+)"', re.MULTILINE)
"""The line by which a file of tests, or the `conftest.py` of its folder, says in which group `scripts/test` runs it."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what `scripts/test` chooses with."""
    parser.addoption("--group", choices=("measured", "unmeasured", "deployments"), help="only the tests of this group")


def pytest_report_header() -> str:
    """Say which part of the long tables is played, so that it can be played again."""
    return f"EXAMPLES_SEED={SEED}"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out other groups' folders and files before they, or a folder's `conftest.py`, are imported."""
    wanted = config.getoption("--group")
    if wanted is None:
        return None
    if collection_path.is_dir():
        return group_of(collection_path / "conftest.py") not in {wanted, None} or None
    if not collection_path.name.startswith("test_"):
        return None
    return (group_of(collection_path) or "measured") != wanted or None


def group_of(path: Path) -> str | None:
    """Return the group of a file of tests: its own, or that of a folder around it; None: the measured tests'."""
    places = (path, *(folder / "conftest.py" for folder in path.parents if folder.is_relative_to(ROOT / "tests")))
    found = (GROUP.search(place.read_text()) for place in places if place.exists())
    return next((match["name"] for match in found if match), None)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Begin the tests with little to do beside them.

    Hypothesis's plugin imports all of hypothesis when a run ends: it is dropped where no test needs it.
    """
    if "hypothesis" not in sys.modules:
        session.config.pluginmanager.unregister(name="hypothesispytest")
    gc.collect()
    gc.freeze()  # or each collection would look through all tests and libraries again, a tenth of all time


@pytest.fixture(autouse=True)
def libraries_log_as_before() -> Iterator[None]:
    """Give the root logger and the warnings back: the handler takes them over, and its output ends with its test."""
    root, show = logging.getLogger(), warnings.showwarning
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], warnings.showwarning = handlers, show
    root.setLevel(level)


@pytest.fixture(scope="session")
def code() -> Path:
    """The function's zip, as it is deployed."""
    return package("function")


@pytest.fixture(scope="session")
def receiver_zip() -> Path:
    """A webhook receiver's, likewise."""
    return package("webhooks")


def package(what: str) -> Path:
    command: list[str | Path] = [ROOT / "scripts" / "package", what]
    built = subprocess.run(  # noqa: S603 - our own script
        command, check=True, env=for_installing(), stdout=subprocess.PIPE, text=True
    )
    return ROOT / built.stdout.strip()


@pytest.fixture(scope="session")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Child]:
    """A process that forks for each `token-refresh`."""
    with Child("cli.forked", str(tmp_path_factory.mktemp("forks") / "socket")) as forks:
        yield forks


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory, forks: Child) -> Path:
    """A folder with a quick `token-refresh`, for shells."""
    program = tmp_path_factory.mktemp("programs") / "token-refresh"
    return write_program(program, PROGRAM.format(**forks.announced), "-IS").parent


@pytest.fixture(scope="session")
def aws(emulator: "Emulator", tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a quick `aws`, the AWS CLI of the emulator's environment, for shells."""
    del emulator  # has installed it
    folder = tmp_path_factory.mktemp("aws")
    with Child(
        "testbed.aws_cli", str(folder / "socket"), python=ROOT / ".venv" / "emulator" / "bin" / "python"
    ) as forks:
        yield write_program(folder / "aws", PROGRAM.format(**forks.announced), "-IS").parent


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Emulator"]:
    """An emulator of AWS; see tests/deployment."""
    from testbed.emulator import Emulator  # noqa: PLC0415 - most runs of a few tests need no boto3

    with Emulator(tmp_path_factory.mktemp("emulator")) as emulator:
        yield emulator
