"""Promotions: AWSCURRENT moves by compare-and-swap, takes AWSPREVIOUS along, and is never taken off."""

from functools import partial

import pytest

from conformance.actions import all_at_once, holders, move, new_id, put, refusal, value_by_label
from conformance.backends import Backend


@pytest.mark.moto_differs("reads the old version unless a label is asked for")
def test_a_plain_read_follows_a_promotion(backend: Backend, secret: str) -> None:
    """A read without ID and label returns a promoted version at once."""
    staged = put(backend.client, secret, "staged", "AWSPENDING")

    move(backend.client, secret, "AWSCURRENT", to=staged, away_from=holders(backend.client, secret)["AWSCURRENT"])

    assert "staged" == backend.client.get_secret_value(SecretId=secret)["SecretString"]


def test_a_promotion_names_the_version_that_it_replaces(backend: Backend, secret: str) -> None:
    """AWSCURRENT moves from the version that is named, and AWSPREVIOUS follows; it can be repeated and undone."""
    first = holders(backend.client, secret)["AWSCURRENT"]
    staged = put(backend.client, secret, "staged", "AWSPENDING")
    promote = partial(move, backend.client, secret, "AWSCURRENT", to=staged, away_from=first)

    promote()
    (repeated,) = all_at_once([promote])

    assert repeated in {"ok", "InvalidParameterException"}
    expected = {"AWSCURRENT": staged, "AWSPENDING": staged, "AWSPREVIOUS": first}
    assert expected == holders(backend.client, secret)
    assert "staged" == value_by_label(backend.client, secret, "AWSCURRENT")
    move(backend.client, secret, "AWSCURRENT", to=first, away_from=staged)
    assert {"AWSCURRENT": first, "AWSPENDING": staged, "AWSPREVIOUS": staged} == holders(backend.client, secret)
    assert "first" == value_by_label(backend.client, secret, "AWSCURRENT")


def test_a_promotion_that_comes_too_late_is_refused(backend: Backend, secret: str) -> None:
    """AWSCURRENT doesn't move from no version, nor from one that lost it: a newer one is never overwritten."""
    first = holders(backend.client, secret)["AWSCURRENT"]
    staged = put(backend.client, secret, "staged", "AWSPENDING")
    with refusal() as unnamed:
        move(backend.client, secret, "AWSCURRENT", to=staged)
    newer = put(backend.client, secret, "an operator's")
    with refusal() as late:
        move(backend.client, secret, "AWSCURRENT", to=staged, away_from=first)

    assert [("InvalidParameterException", 400)] * 2 == [(refused.code, refused.status) for refused in (unnamed, late)]
    assert (
        "The parameter RemoveFromVersionId can't be empty. Staging label AWSCURRENT is currently attached to version"
        f" {first}, so you must explicitly reference that version in RemoveFromVersionId."
    ) == unnamed.message
    assert {"AWSCURRENT": newer, "AWSPENDING": staged, "AWSPREVIOUS": first} == holders(backend.client, secret)


@pytest.mark.moto_varies("does not handle one call at a time")
def test_one_of_two_racing_promotions_wins(backend: Backend, secret: str) -> None:
    """Of promotions that replace the same version at once, one succeeds and its version is current."""
    first = holders(backend.client, secret)["AWSCURRENT"]
    staged = [put(backend.client, secret, f"set {number}", f"STAGED_{number}") for number in range(8)]
    promotions = [
        partial(move, backend.client, secret, "AWSCURRENT", to=version_id, away_from=first) for version_id in staged
    ]

    outcomes = all_at_once(promotions)

    assert ["InvalidParameterException"] * 7 + ["ok"] == sorted(outcomes)
    winner = staged[outcomes.index("ok")]
    labels = holders(backend.client, secret)
    assert (winner, first) == (labels["AWSCURRENT"], labels["AWSPREVIOUS"])


@pytest.mark.moto_differs("takes AWSCURRENT off before it looks for the version that is to have it")
def test_a_promotion_to_a_missing_version_is_refused(backend: Backend, secret: str) -> None:
    """AWSCURRENT never leaves a version for one that isn't there."""
    first = holders(backend.client, secret)["AWSCURRENT"]

    with refusal() as refused:
        move(backend.client, secret, "AWSCURRENT", to=new_id(), away_from=first)

    assert refused.code in {"InvalidParameterException", "ResourceNotFoundException"}
    assert {"AWSCURRENT": first} == holders(backend.client, secret)


@pytest.mark.moto_differs("takes AWSCURRENT off")
def test_the_current_label_is_never_taken_off(backend: Backend, secret: str) -> None:
    """AWSCURRENT can be moved and not removed, so a secret with a value always has a current version."""
    first = holders(backend.client, secret)["AWSCURRENT"]

    with refusal() as refused:
        move(backend.client, secret, "AWSCURRENT", away_from=first)

    assert "InvalidParameterException" == refused.code
    assert {"AWSCURRENT": first} == holders(backend.client, secret)
