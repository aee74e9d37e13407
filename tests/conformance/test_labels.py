"""Labels: each is on one version, moves by compare-and-swap, and has its limits."""

import pytest

from conformance.actions import holders, move, new_id, put, refusal, value_by_id, value_by_label
from conformance.backends import Backend


def test_a_plain_put_becomes_current(backend: Backend, secret: str) -> None:
    """A put without labels moves AWSCURRENT, and AWSPREVIOUS after it; a claim or staged set moves neither."""
    first = holders(backend.client, secret)["AWSCURRENT"]

    second = put(backend.client, secret, "second")
    claim = put(backend.client, secret, "claim", "REFRESH_CLAIM")
    staged = put(backend.client, secret, "staged", "AWSPENDING")

    expected = {"AWSCURRENT": second, "AWSPREVIOUS": first, "REFRESH_CLAIM": claim, "AWSPENDING": staged}
    assert expected == holders(backend.client, secret)
    assert "second" == backend.client.get_secret_value(SecretId=secret)["SecretString"]


@pytest.mark.moto_differs("wipes the other labels of the version that a plain put replaces")
def test_a_put_takes_only_its_own_labels(backend: Backend, secret: str) -> None:
    """A version that loses AWSCURRENT to a put keeps its other labels."""
    first = holders(backend.client, secret)["AWSCURRENT"]
    move(backend.client, secret, "KEPT", to=first)

    put(backend.client, secret, "second")

    assert first == holders(backend.client, secret)["KEPT"]


@pytest.mark.moto_differs("leaves the label on both versions")
def test_every_label_moves_by_compare_and_swap(backend: Backend, secret: str) -> None:
    """A label of our own doesn't move either where the request doesn't say from which version."""
    older = put(backend.client, secret, "older claim", "REFRESH_CLAIM")
    newer = put(backend.client, secret, "newer claim", "REFRESH_CLAIM")

    with refusal() as refused:
        move(backend.client, secret, "REFRESH_CLAIM", to=older)

    assert "InvalidParameterException" == refused.code
    assert newer == holders(backend.client, secret)["REFRESH_CLAIM"]


def test_a_label_is_taken_off_and_put_back(backend: Backend, secret: str) -> None:
    """A label is taken off its holder alone, and put on any version; none but AWSCURRENT moves AWSPREVIOUS."""
    put(backend.client, secret, "second")
    before = holders(backend.client, secret)
    claim = put(backend.client, secret, "claim", "REFRESH_CLAIM")

    move(backend.client, secret, "REFRESH_CLAIM", away_from=claim)
    assert before == holders(backend.client, secret)
    assert "claim" == value_by_id(backend.client, secret, claim)
    move(backend.client, secret, "REFRESH_CLAIM", to=claim)
    assert {**before, "REFRESH_CLAIM": claim} == holders(backend.client, secret)
    move(backend.client, secret, "REFRESH_CLAIM", to=before["AWSPREVIOUS"], away_from=claim)
    with refusal() as refused:
        move(backend.client, secret, "REFRESH_CLAIM", away_from=claim)
    assert "InvalidParameterException" == refused.code
    assert {**before, "REFRESH_CLAIM": before["AWSPREVIOUS"]} == holders(backend.client, secret)


@pytest.mark.moto_differs("says that the secret is missing")
def test_a_label_that_is_nowhere_is_named(backend: Backend, secret: str) -> None:
    """A read by a label that no version has is refused with a text that tells it from a missing secret."""
    with refusal() as refused:
        value_by_label(backend.client, secret, "REFRESH_CLAIM")

    assert "ResourceNotFoundException" == refused.code
    assert "Secrets Manager can't find the specified secret value for staging label: REFRESH_CLAIM" == refused.message


@pytest.mark.moto_differs("has no limit on the number of labels")
def test_the_21st_label_is_refused(backend: Backend, secret: str) -> None:
    """The versions of a secret can have 20 labels between them; a put that would make it 21 stores nothing."""
    put(backend.client, secret, "labelled", *(f"LABEL_{number}" for number in range(19)))
    assert 20 == len(holders(backend.client, secret))
    version_id = new_id()

    with refusal() as refused:
        put(backend.client, secret, "one too many", "LABEL_19", version_id=version_id)
    with refusal() as missing:
        value_by_id(backend.client, secret, version_id)

    assert "LimitExceededException" == refused.code
    assert "ResourceNotFoundException" == missing.code


@pytest.mark.moto_differs("has no limit on the length of a label")
def test_a_long_label_is_refused(backend: Backend, secret: str) -> None:
    """A label above 256 characters is refused."""
    with refusal() as refused:
        put(backend.client, secret, "value", "L" * 257)

    assert refused.code in {"ValidationException", "InvalidParameterException"}
