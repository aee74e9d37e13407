"""Two secrets while one is rotated: the current one, and the previous one until the overlap is over."""

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from botocore.config import Config

from testbed.aws.faults import Action
from testbed.reader_surroundings import Store, WallClock, runtime
from token_refresh.reader import InvalidSecretDocument, SecretReader

HOUR = timedelta(hours=1)
Make = Callable[..., SecretReader]


@pytest.fixture
def make(store: Store, clock: WallClock) -> Make:
    """Make a reader of `key` with an overlap of one hour."""
    client = store.server.client(config=Config(retries={"total_max_attempts": 1}))

    def made(**options: object) -> SecretReader:
        given = {"overlap": HOUR, **options}
        return SecretReader("key", client=client, background=False, runtime=runtime(clock), **given)  # type: ignore[arg-type] # a test's options

    return made


def values(reader: SecretReader) -> list[tuple[str, str]]:
    return [(secret.text(), secret.stage) for secret in reader.accepted()]


def put(store: Store, *texts: str) -> list[str]:
    """Store one version after the other; give their IDs."""
    return [store.put_text(text, secret_id="key") for text in texts]


def test_no_overlap_by_a_clock_that_is_behind(store: Store, clock: WallClock, make: Make) -> None:
    """Without an overlap, as after a leak, no previous value is accepted, also where this clock is behind."""
    put(store, "leaked", "new")
    clock.advance(-2)
    reader = make(overlap=timedelta())
    assert ([("new", "current")], 1) == (values(reader), store.reads)


def test_previous_is_accepted_until_the_overlap_ends(store: Store, clock: WallClock, make: Make) -> None:
    """The overlap ends by the clock, an hour after the current version was stored, and not by the cache."""
    store.put_text("old", secret_id="key")
    clock.advance(7200)
    store.put_text("new", secret_id="key")
    reader = make(ttl=timedelta(days=1))
    clock.advance(3599)
    assert [("new", "current"), ("old", "previous")] == values(reader)
    clock.advance(1)
    assert [("new", "current")] == values(reader)
    assert 2 == store.reads


def test_previous_costs_a_call_only_within_the_overlap(store: Store, clock: WallClock, make: Make) -> None:
    """Outside the overlap one call reads the secret; a first version without a previous one is no error."""
    store.put_text("only", secret_id="key")
    reader = make()
    assert [("only", "current")] == values(reader)
    assert 2 == store.reads
    clock.advance(3600)
    assert [("only", "current")] == values(reader)
    assert 3 == store.reads
    assert [("only", "current")] == values(make(overlap=timedelta()))
    assert 4 == store.reads


def test_version_ids_tell_the_two_apart(store: Store, make: Make) -> None:
    """A rejection finds a rotated secret, and the old one stays accepted; IDs tell them apart, values are masked."""
    (old,) = put(store, "canary-old")
    reader = make()
    (current,) = reader.accepted()
    (new,) = put(store, "canary-new")
    assert reader.reject(current)
    accepted = reader.accepted()
    assert accepted == asyncio.run(reader.aaccepted())
    assert [new, old] == [secret.version_id for secret in accepted]
    assert ["canary-new", "canary-old"] == [secret.value for secret in accepted]
    assert "canary" not in repr(accepted)


def test_rollback_does_not_accept_the_bad_version(store: Store, clock: WallClock, make: Make) -> None:
    """After a rollback the current version is the old one, whose age ended the overlap: the bad one is not accepted."""
    good = store.put_text("good", secret_id="key")
    clock.advance(7200)
    bad = store.put_text("bad", secret_id="key")
    store.client.update_secret_version_stage(
        SecretId="key", VersionStage="AWSCURRENT", MoveToVersionId=good, RemoveFromVersionId=bad
    )
    assert [("good", "current")] == values(make())


def fail_previous(store: Store, action: Action) -> None:
    """Let every second read fail, beginning with the next one but one: within an overlap, that of AWSPREVIOUS."""
    for number in range(2, 20, 2):
        store.server.fault(action, "GetSecretValue", nth=number)


def test_denied_previous_version(store: Store, clock: WallClock, make: Make, caplog: pytest.LogCaptureFixture) -> None:
    """If a policy hides the previous version, the current one is accepted, and each rotation logs it once."""
    put(store, "canary-1", "canary-2")
    fail_previous(store, "deny")
    reader = make()
    for _ in range(3):
        assert [("canary-2", "current")] == values(reader)
        clock.advance(300)
    (record,) = caplog.records
    assert ("WARNING", "previous_unusable", "key") == (record.levelname, vars(record)["event"], vars(record)["secret"])
    assert "secretsmanager:GetSecretValue on secret key in eu-central-1 was denied" in caplog.text
    store.put_text("canary-3", secret_id="key")
    assert [("canary-3", "current")] == values(reader)
    assert 2 == len(caplog.records)
    assert "canary" not in caplog.text


def test_unreachable_previous_stays_accepted(store: Store, clock: WallClock, make: Make) -> None:
    """If only the previous version is throttled, the one that was read before stays accepted, but for a rotation."""
    put(store, "old", "new")
    reader, later, rotated = make(), make(), make()
    assert [2, 2] == [len(each.accepted()) for each in (reader, rotated)]
    fail_previous(store, "unavailable")
    clock.advance(300)
    assert [("new", "current"), ("old", "previous")] == values(reader)
    assert [("new", "current")] == values(later)
    put(store, "newest")
    assert [("newest", "current")] == values(rotated)
    clock.advance(3300)
    assert [("newest", "current")] == values(reader)


@pytest.mark.parametrize(
    ("stored", "expected"),
    [({"signingSecret": "one", "other": 1}, ["one"]), ({"signingSecret": ["new", "old"]}, ["new", "old"])],
)
def test_field(  # noqa: PLR0917 - fixtures and cases
    store: Store, clock: WallClock, make: Make, monkeypatch: pytest.MonkeyPatch, stored: object, expected: list[str]
) -> None:
    """A field holds a string, or a list whose first is current; the others are accepted as long as they are in it."""
    store.put_text(json.dumps(stored), secret_id="key")
    reader = make(field="signingSecret")
    for _ in range(2):
        assert list(zip(expected, ("current", "previous"), strict=False)) == values(reader)
        clock.advance(86_400)
    assert expected[0] == reader.text()
    monkeypatch.setenv("KEY", "value")  # a source without stages has no previous version, on a laptop
    assert [("value", "current")] == values(SecretReader("env:KEY", overlap=HOUR))


@pytest.mark.parametrize(
    ("stored", "says"),
    [
        ("canary", "field field: the secret's value is not JSON"),
        ('["canary"]', "field field: the secret's value is a JSON array; it must be a JSON object"),
        ('{"other": "canary"}', "field must be a string or a list of strings, none of them empty; it is missing"),
        ('{"field": ""}', "field must be a string or a list of strings, none of them empty; it is a JSON string"),
        ('{"field": []}', "it is a JSON array"),
        ('{"field": ["canary", 7]}', "it is a JSON array"),
        ('{"field": ["canary", ""]}', "it is a JSON array"),
        ('{"field": {"canary": 1}}', "it is a JSON object"),
        (b"canary", "field field: the secret's value is binary; it must be"),
    ],
)
def test_wrong_field(store: Store, make: Make, stored: str | bytes, says: str) -> None:
    """A field that is missing or of another type is named with the secret, the version and the region."""
    value = {"SecretString" if isinstance(stored, str) else "SecretBinary": stored}
    version_id = store.client.create_secret(Name="key", **value)["VersionId"]
    with pytest.raises(
        InvalidSecretDocument, match=f"^secret key in eu-central-1, version '{version_id}' .*{says}"
    ) as caught:
        make(field="field").accepted()
    assert "canary" not in str(caught.value)


def test_previous_version_of_another_form(store: Store, make: Make, caplog: pytest.LogCaptureFixture) -> None:
    """A secret that was plain text before is no reason to refuse the current one; the warning shows no value."""
    store.put_text("canary", secret_id="key")
    store.put_text('{"field": "new"}', secret_id="key")
    assert [("new", "current")] == values(make(field="field"))
    assert "the previous version can't be used: InvalidSecretDocument: secret key in eu" in caplog.text
    assert "canary" not in caplog.text
