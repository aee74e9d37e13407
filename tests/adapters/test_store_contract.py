"""One contract for the port `SecretStore`: the fake of the tests and the real adapter over HTTP must both keep it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from testbed.fakes import SECRET_ID, FakeClock, FakeStore
from testbed.secrets_manager.model import SecretsModel
from testbed.secrets_manager.server import SecretsManagerServer
from token_refresh.errors import SecretAccessDenied
from token_refresh.secret_value import SecretValue
from token_refresh_worker.adapters.secrets_manager import SecretsManagerSecret
from token_refresh_worker.run.ports import Deadline, SecretStore

V0, V1, V2 = ("0" * 36, "1" * 36, "2" * 36)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    store: SecretStore
    model: SecretsModel

    @property
    def labels(self) -> dict[str, str]:
        secret = self.model.find(SECRET_ID)
        return dict(secret.labels) if secret else {}


@pytest.fixture(params=["fake", "Secrets Manager"])
def subject(request: pytest.FixtureRequest) -> Iterator[Subject]:
    clock = FakeClock()
    if request.param == "fake":
        model = SecretsModel()
        model.call("CreateSecret", {"Name": SECRET_ID, "ClientRequestToken": V0}, now=clock.service_now.timestamp())
        yield Subject(store=FakeStore(model=model, clock=clock), model=model)
        return
    with SecretsManagerServer(clock=clock.service_now.timestamp) as server:
        client = server.client()
        client.create_secret(Name=SECRET_ID)
        deadline = Deadline(clock=clock, at=60.0)
        yield Subject(store=SecretsManagerSecret(client, SECRET_ID, deadline), model=server.secrets)


def test_what_was_put_is_read_by_label_and_by_version(subject: Subject) -> None:
    """A version is found under its label and under its ID, with its labels, its value and the service's times."""
    assert subject.store.put(V0, SecretValue("first"), label="AWSCURRENT")

    by_label = subject.store.read(label="AWSCURRENT")
    by_id = subject.store.read(version_id=V0)

    assert by_label is not None
    assert by_label == by_id
    assert (V0, frozenset({"AWSCURRENT"}), SecretValue("first")) == (
        by_label.version_id,
        by_label.labels,
        by_label.value,
    )
    assert abs(by_label.read_at - by_label.created_at) < timedelta(minutes=1)
    assert (UTC, UTC) == (by_label.read_at.tzinfo, by_label.created_at.tzinfo)


@pytest.mark.parametrize("code", ["AccessDeniedException", "DecryptionFailure"])
def test_a_version_whose_key_is_refused_is_listed_and_not_read(subject: Subject, code: str) -> None:
    """A change of the key leaves older versions under the old one: a read says so, and the list shows their IDs."""
    subject.store.put(V0, SecretValue("first"), label="AWSCURRENT")
    subject.store.put(V1, SecretValue("a claim"), label="REFRESH_CLAIM")
    subject.model.call("UpdateSecret", {"SecretId": SECRET_ID, "KmsKeyId": "new"}, now=0)
    subject.model.refuse(SECRET_ID, "", code)

    for which in ({"label": "REFRESH_CLAIM"}, {"version_id": V1}):
        with pytest.raises(SecretAccessDenied) as raised:
            subject.store.read(**which)
        assert raised.value.by_key
    assert subject.store.read(label="AWSCURRENT") is not None
    listed = {version.version_id: version for version in subject.store.versions()}
    assert {V0: ("new",), V1: ("DefaultEncryptionKey",)} == {v: entry.keys for v, entry in listed.items()}
    assert frozenset({"REFRESH_CLAIM"}) == listed[V1].labels


def test_nothing_is_read_where_there_is_nothing(subject: Subject) -> None:
    """A label that nobody attached, a version that nobody wrote, and a secret without a value are all None."""
    assert None is subject.store.read(label="AWSCURRENT")
    subject.store.put(V0, SecretValue("first"), label="AWSCURRENT")

    assert None is subject.store.read(label="REFRESH_CLAIM")
    assert None is subject.store.read(version_id=V1)


def test_the_same_put_again_changes_nothing(subject: Subject) -> None:
    """A put that is sent twice, as after a lost reply, is one version, and moves no label the second time."""
    subject.store.put(V0, SecretValue("first"), label="AWSCURRENT")
    subject.store.put(V1, SecretValue("claim"), label="REFRESH_CLAIM")
    subject.store.put(V2, SecretValue("next"), label="REFRESH_CLAIM")

    assert subject.store.put(V1, SecretValue("claim"), label="REFRESH_CLAIM")
    assert V2 == subject.labels["REFRESH_CLAIM"]


def test_a_version_that_is_taken_is_refused(subject: Subject) -> None:
    """A second value under the same version ID is refused: that is what makes a claim exclusive."""
    subject.store.put(V0, SecretValue("first"), label="AWSCURRENT")
    assert subject.store.put(V1, SecretValue("one run's"), label="REFRESH_CLAIM")

    assert not subject.store.put(V1, SecretValue("another run's"), label="REFRESH_CLAIM")
    kept = subject.store.read(version_id=V1)
    assert kept is not None
    assert SecretValue("one run's") == kept.value


def test_a_label_moves_only_from_where_it_was_expected(subject: Subject) -> None:
    """AWSCURRENT is compared and swapped: it moves from the expected version, and from no other."""
    for version_id in (V0, V1, V2):
        subject.store.put(version_id, SecretValue(version_id), label="AWSCURRENT" if version_id == V0 else "AWSPENDING")

    assert not subject.store.move_label("AWSCURRENT", to=V2, remove_from=V1)
    assert V0 == subject.labels["AWSCURRENT"]
    assert subject.store.move_label("AWSCURRENT", to=V2, remove_from=V0)
    assert (V2, V0) == (subject.labels["AWSCURRENT"], subject.labels["AWSPREVIOUS"])


def test_a_label_is_taken_off_once(subject: Subject) -> None:
    """A label is taken off the version that has it; off another, or a second time, is refused."""
    subject.store.put(V0, SecretValue("first"), label="AWSCURRENT")
    subject.store.put(V1, SecretValue("staged"), label="AWSPENDING")

    assert not subject.store.move_label("AWSPENDING", to=None, remove_from=V0)
    assert subject.store.move_label("AWSPENDING", to=None, remove_from=V1)
    assert not subject.store.move_label("AWSPENDING", to=None, remove_from=V1)


def test_a_label_that_nobody_has_is_attached(subject: Subject) -> None:
    """A label that was taken off the newest claim is put back without saying from where."""
    subject.store.put(V0, SecretValue("first"), label="AWSCURRENT")
    subject.store.put(V1, SecretValue("claim"), label="REFRESH_CLAIM")
    subject.store.move_label("REFRESH_CLAIM", to=None, remove_from=V1)

    assert subject.store.move_label("REFRESH_CLAIM", to=V1, remove_from=None)
    assert V1 == subject.labels["REFRESH_CLAIM"]


def test_a_binary_value_is_no_text(subject: Subject) -> None:
    """A version that is stored as binary is read as a version without text."""
    now = datetime.now(UTC).timestamp()
    request = {"SecretId": SECRET_ID, "SecretBinary": "AAAA", "ClientRequestToken": V0}
    subject.model.call("PutSecretValue", request, now=now)

    read = subject.store.read(label="AWSCURRENT")
    assert read is not None
    assert None is read.value
