"""`SecretReader` and `SecretGroup` against a real HTTP store."""

import asyncio
import inspect
from datetime import timedelta
from typing import Any
from unittest import mock

import pytest

from testbed.reader_surroundings import Background, Store, WallClock, at_once, runtime
from token_refresh.reader import (
    InvalidSecretDocument,
    SecretAccessDenied,
    SecretGroup,
    SecretNotFound,
    SecretReader,
    TokenReader,
)

MINUTE = timedelta(minutes=1)


@pytest.fixture
def key(store: Store, clock: WallClock) -> SecretReader:
    store.put_text('{"key": "canary"}', secret_id="key")
    return SecretReader("key", ttl=MINUTE, client=store.client, background=False, runtime=runtime(clock))


def test_text_json_and_binary(store: Store, key: SecretReader) -> None:
    """A text secret is read as text, parsed, or as bytes, with one call, and shown neither in `repr` nor in `str`."""

    async def read_all() -> tuple[str, object, bytes]:
        return await key.atext(), await key.ajson(), await key.abinary()

    assert '{"key": "canary"}' == key.text() == asyncio.run(key.asecret()).text()
    assert {"key": "canary"} == key.json()
    assert key.json() is not key.json()
    assert b'{"key": "canary"}' == key.binary()
    assert (key.text(), key.json(), key.binary()) == asyncio.run(read_all())
    assert "canary" not in f"{key.secret()!r} {key.secret()} {key!r}"
    assert 1 == store.reads


@pytest.mark.parametrize("reader", [TokenReader, SecretReader, SecretGroup])
def test_asynchronous_twins(reader: type) -> None:
    """Each method of a reader has a twin with the same arguments that never blocks the event loop."""
    public = {name: each for name, each in inspect.getmembers(reader, inspect.isfunction) if not name.startswith("_")}
    twins = {name for name, each in public.items() if inspect.iscoroutinefunction(each)}
    others = public.keys() - twins - {"health"}  # which reads nothing

    # `group[name]` is the one method without a name of its own.
    assert twins == {f"a{name}" for name in others} | ({"asecret"} if reader is SecretGroup else set())
    for name in others:
        assert inspect.signature(public[name]).parameters == inspect.signature(public[f"a{name}"]).parameters


def test_another_form(store: Store) -> None:
    """A binary secret is read as bytes; read as text, or a text as JSON, it is an error that says so, and not what."""
    store.client.create_secret(Name="certificate", SecretBinary=b"\x00\xff")
    reader = SecretReader("certificate", client=store.client)
    assert b"\x00\xff" == reader.binary()
    with pytest.raises(InvalidSecretDocument, match=r"certificate is binary: read it with binary\(\)"):
        reader.text()
    store.put_text("canary", secret_id="plain")
    with pytest.raises(InvalidSecretDocument, match=r"plain is not JSON: read it with text\(\)") as caught:
        SecretReader("plain", client=store.client).json()
    assert (None, None) == (caught.value.__cause__, caught.value.__context__)


def test_reading_ahead(store: Store, clock: WallClock, background: Background) -> None:
    """In a service, a background read begins at four fifths of the TTL, less some jitter; at its end callers wait."""
    options: Any = {"ttl": MINUTE, "client": store.client, "background": True}
    store.put_text("old", secret_id="key")
    reader = SecretReader("key", **options, runtime=runtime(clock, background))
    waiting = SecretReader("key", **options, runtime=runtime(clock))
    assert ["old", "old"] == [reader.text(), waiting.text()]
    store.put_text("new", secret_id="key")
    clock.advance(44)
    assert ("old", 0) == (reader.text(), len(background.waiting))
    clock.advance(1)
    assert ("old", 1) == (reader.text(), background.run())
    assert "new" == reader.text()
    clock.advance(15)
    assert "new" == waiting.text()


def test_who_reads_ahead(
    store: Store, clock: WallClock, background: Background, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service reads ahead, and a Lambda function, which freezes, does not; `background` has precedence."""

    def reads_ahead(chosen: bool | None) -> bool:  # noqa: FBT001 - as the reader takes it
        options: Any = {"ttl": MINUTE, "client": store.client, "background": chosen}
        reader = SecretReader("key", **options, runtime=runtime(clock, background))
        reader.text()
        clock.advance(59)
        assert "old" == reader.text()
        return bool(background.run())

    store.put_text("old", secret_id="key")
    assert [True, True, False] == [reads_ahead(chosen) for chosen in (None, True, False)]
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "service")
    assert [False, True, False] == [reads_ahead(chosen) for chosen in (None, True, False)]


def test_version_check_on_demand(store: Store, key: SecretReader) -> None:
    """A rejected secret is looked up at once, with one call for fifty threads, and replaced."""
    old = key.secret()
    assert not key.reject(old)
    store.put_text("new", secret_id="key")
    store.clock.advance(1)
    assert [True] * 50 == at_once(50, lambda: key.reject(old))
    assert ("new", 3) == (key.text(), store.reads)
    assert asyncio.run(key.areject(old))
    assert 3 == store.reads


def test_group_makes_one_call(store: Store, clock: WallClock) -> None:
    """Several secrets come with one call, by name or ARN, text or binary, and are kept together."""
    store.put_text("one", secret_id="a")
    created = store.client.create_secret(Name="b", SecretBinary=b"two")
    group = SecretGroup("a", created["ARN"], client=store.client, background=False, runtime=runtime(clock))
    assert ("one", b"two") == (group["a"].text(), group[created["ARN"]].binary())
    assert "one" == asyncio.run(group.asecret("a")).text()
    assert 1 == store.reads
    old = group["a"]
    store.put_text("three", secret_id="a")
    assert group.reject(old)
    assert ("three", 2) == (group["a"].text(), store.reads)
    old = group["a"]
    store.put_text("four", secret_id="a")
    clock.advance(1)
    assert asyncio.run(group.areject(old))
    assert ("four", 3) == (group["a"].text(), store.reads)
    with pytest.raises(KeyError):
        group["c"]


def test_large_group(store: Store) -> None:
    """More than twenty secrets take one call for each twenty."""
    names = [f"secret-{number:02}" for number in range(25)]
    for name in names:
        store.put_text(name, secret_id=name)
    group = SecretGroup(*names, client=store.client)
    assert names == [group[name].text() for name in names]
    assert 2 == store.reads


def test_pages_of_a_group(store: Store, clock: WallClock) -> None:
    """A group that comes in several pages is read to its end, and an endless one is given up."""
    names = ["a", "b"]
    stored = {}
    for name in names:
        store.put_text(f"value of {name}", secret_id=name)
        stored[name] = store.client.get_secret_value(SecretId=name)
    client = mock.Mock()
    client.meta.region_name = "eu-central-1"
    pages = [{"SecretValues": [stored["a"]], "NextToken": "2"}, {"SecretValues": [stored["b"]]}]
    client.batch_get_secret_value.side_effect = pages
    group = SecretGroup(*names, client=client, runtime=runtime(clock))
    assert ["value of a", "value of b"] == [group[name].text() for name in names]
    assert mock.call(SecretIdList=names, NextToken="2") == client.batch_get_secret_value.call_args
    client.batch_get_secret_value.side_effect = lambda **_: {"SecretValues": [], "NextToken": "again"}
    with pytest.raises(SecretNotFound):
        SecretGroup(*names, client=client, runtime=runtime(clock))["a"]


def test_group_with_a_missing_secret(store: Store) -> None:
    """One that is missing is named, and so is the batch's permission; an ARN may lack its last characters."""
    store.put_text("one", secret_id="a")
    with pytest.raises(SecretNotFound, match="secret missing in eu-central-1 was not found"):
        SecretGroup("a", "missing", client=store.client)["a"]
    client = mock.Mock()
    client.meta.region_name = "eu-central-1"
    client.batch_get_secret_value.return_value = {"SecretValues": []}
    with pytest.raises(SecretNotFound, match=r"secret a in eu-central-1 was not found \(secretsmanager:BatchGet"):
        SecretGroup("a", client=client)["a"]
    partial_arn = store.client.describe_secret(SecretId="a")["ARN"].rpartition("-")[0]
    assert "one" == SecretGroup(partial_arn, client=store.client)[partial_arn].text()
    store.server.fault("deny", "BatchGetSecretValue")
    denied = "secretsmanager:BatchGetSecretValue on secret a, b in eu-central-1 was denied"
    with pytest.raises(SecretAccessDenied, match=denied):
        SecretGroup("a", "b", client=store.client)["a"]
