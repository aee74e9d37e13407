"""Each check beside the worker holds in an account that keeps the assumption, and fails in one that breaks it."""

import itertools
import sys
from collections.abc import Iterator, Mapping
from email.utils import formatdate
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from account import checks_services as checks
from account.account import Contradicted, NotChecked
from testbed.aws_lambda.function import Function
from testbed.aws_lambda.function_url import FunctionUrl
from testbed.secrets_manager.moto_server import moto_here
from testbed.secrets_manager.staleness import Staleness
from testbed.sqs.server import SqsServer
from token_refresh.webhooks import SENDERS

World = Any  # of conftest.py
ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("ahead", [0, 120])
def test_clocks(world: World, ahead: int) -> None:
    """Clocks that agree hold, whatever this machine's says; two minutes between two services contradict."""
    store = world.testbed.store

    def identity() -> dict[str, Any]:
        return {"ResponseMetadata": {"HTTPHeaders": {"date": formatdate(store.now(), usegmt=True)}}}

    world.services |= {"dynamodb": world.testbed.table.client(), "sts": SimpleNamespace(get_caller_identity=identity)}
    world.testbed.table.clock_offset_seconds += ahead

    if ahead:
        with pytest.raises(Contradicted, match=r"1\d\d\.\d s apart"):
            checks.clocks(world.account)
    else:
        assert " s apart" in checks.clocks(world.account)


def test_stale_reads_are_measured(world: World) -> None:
    """Stale reads within the limit are counted and told."""
    world.testbed.store.staleness = Staleness(writes=1, seconds=1e9, likelihood=0.2)

    found = checks.stale_reads(world.account)

    assert not found.startswith("0 of")


def test_a_read_that_is_too_old(world: World) -> None:
    """A read that is stale more than 300 s after a write contradicts."""
    world.testbed.store.staleness = Staleness(writes=1, seconds=1e9, likelihood=1.0)
    world.account.now = itertools.count(0, 301).__next__

    with pytest.raises(Contradicted, match="a read was stale"):
        checks.stale_reads(world.account)


def test_a_full_secret(world: World) -> None:
    """A secret takes its hundred versions and refuses the next; none goes."""
    assert "100 versions, then LimitExceededException; none went" == checks.full_secret(world.account)


@pytest.mark.parametrize("how", ["fewer versions", "versions go", "another refusal"])
def test_a_full_secret_that_is_otherwise(world: World, how: str) -> None:
    """Fewer versions, versions that go within the day, and a refusal of another kind contradict."""
    store = world.testbed.store
    if how == "fewer versions":
        store.secrets.quota = 50
    elif how == "another refusal":
        store.fault("deny", "PutSecretValue", nth=10, times=None)
    else:
        create = store.client

        def ages(*_: Any) -> None:
            store.clock_offset_seconds += 86_400

        world.account.make_client = lambda _service, _region, _credentials: _after_each_put(create(), ages)

    with pytest.raises(Contradicted):
        checks.full_secret(world.account)


def _after_each_put(client: Any, then: Any) -> Any:
    client.meta.events.register("after-call.secrets-manager.PutSecretValue", lambda **_: then())
    return client


@pytest.fixture
def receiver(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[SqsServer]:
    """The real router behind a function URL, as soon as the check has deployed it."""
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    store = world.testbed.store
    started: list[Any] = []
    world.services["lambda"] = SimpleNamespace(
        get_account_settings=lambda: {"AccountLimit": {"ConcurrentExecutions": 1000}}
    )
    with SqsServer() as queue:

        def deploy(_stack: str, values: Mapping[str, str]) -> None:
            environment = store.environment | queue.environment
            environment |= {"WEBHOOK_QUEUE_URL": queue.queue_url, SENDERS["github"].variable: values["github_secret"]}
            function = Function(environment, handler="webhook_router.handler", task_root=ROOT / "examples")
            started.append(function.start().wait_until_ready())
            started.append(FunctionUrl(function).__enter__())
            world.made |= {"Url": started[-1].endpoint, "QueueUrl": queue.queue_url}

        world.on_deploy = deploy
        world.services["sqs"] = SimpleNamespace(receive_message=lambda **_: {"Messages": queue.messages})
        yield queue
        for part in reversed(started):
            part.__exit__(None, None, None)


def test_a_webhook(world: World, receiver: SqsServer) -> None:
    """A signed webhook passes through the URL to the real receiver and its queue, and a forged one doesn't."""
    assert "200 and queued if signed, 401 if forged" == checks.webhook_received(world.account)
    assert 1 == len(receiver.messages)


@pytest.mark.usefixtures("receiver")
@pytest.mark.parametrize("how", ["no permission", "takes forged ones", "not queued"])
def test_a_webhook_that_fails(world: World, how: str) -> None:
    """A URL that refuses, one that takes anything, and a queue that stays empty contradict."""
    real = world.account.post
    statuses = {"no permission": 403, "takes forged ones": 200}
    world.account.post = lambda *url, **request: (
        SimpleNamespace(status_code=statuses[how]) if how in statuses else real(*url, **request)
    )
    if how == "not queued":
        world.services["sqs"] = SimpleNamespace(receive_message=lambda **_: {})

    with pytest.raises(Contradicted):
        checks.webhook_received(world.account)


def test_a_webhook_in_a_new_account(world: World) -> None:
    """Where nothing can be reserved, the check says so instead of failing in the deployment."""
    world.services["lambda"] = SimpleNamespace(
        get_account_settings=lambda: {"AccountLimit": {"ConcurrentExecutions": 10}}
    )

    with pytest.raises(NotChecked, match="quota is 10"):
        checks.webhook_received(world.account)


@pytest.fixture
def suite(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    command = ("conformance.run", "--live", "--region", "eu-central-1", "-q", "-n0", "-k", "promotion")
    world.account.conformance = (sys.executable, "-m", *command)
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}/tests:{ROOT}")
    for name, value in world.testbed.store.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(ROOT)
    return world


def test_the_conformance_suite(suite: World) -> None:
    """The suite runs against the account's Secrets Manager, and its counts are told."""
    assert checks.conformance(suite.account).endswith(" passed")


def test_the_conformance_suite_where_rules_are_broken(suite: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Moto breaks the rules of promotions, and the failed tests are named."""
    with moto_here() as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", url)

        with pytest.raises(Contradicted, match=r"\d failed, .*: .*test_a_plain_read_follows_a_promotion"):
            checks.conformance(suite.account)
