from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st

from infra.conftest import EVERYTHING, FLEET, RECEIVER
from infra.enforced import KEY
from testbed.synthesis import Synthesis, synthesise
from token_refresh_infra.constructs.role import NAME_LIMIT, role_name

PLACES = st.tuples(
    st.text("ab-", min_size=1, max_size=64),
    st.sampled_from(["eu-central-1", "us-gov-east-1", "ap-southeast-1"]),
    st.sampled_from(["worker", "schedule", "dispatcher", "resync", "receiver"]),
)
LONG = "a" * 63


@example([(f"{LONG}a", "eu-central-1", "worker"), (f"{LONG}b", "eu-central-1", "worker")])
@given(st.lists(PLACES, min_size=2, max_size=20, unique=True))
def test_no_two_roles_share_a_name(places: list[tuple[str, str, str]]) -> None:
    """Roles of other stacks, regions and functions have other names, of the 64 characters that IAM allows at most."""
    names = {role_name(*place) for place in places}

    assert len(places) == len(names)
    assert all(len(name) <= NAME_LIMIT for name in names)


def test_names_are_stable(plain: Synthesis, everything: Synthesis, code: Path, receiver_zip: Path) -> None:
    """A stack that is made again, or adopts what one left, has the roles that policies of secrets know."""
    assert ["token-refresh-upwork-prod-eu-central-1-schedule", "token-refresh-upwork-prod-eu-central-1-worker"] == (
        names_of(everything)
    )
    left = {"token_secret": "upwork/prod/upwork-oauth-tokens", "published_secret": "copies", "kms_key": KEY}
    again = {name: value for name, value in EVERYTHING.items() if name not in {"operators", "consumers"}} | left
    assert names_of(synthesise(again, code)) == names_of(everything)
    anywhere = {"Fn::Join": ["", ["token-refresh-prod-", {"Ref": "AWS::Region"}, "-worker"]]}
    assert anywhere in names_of(plain)
    fleet, receiver = synthesise(FLEET, code), synthesise(RECEIVER, receiver_zip)
    roles = ("dispatcher", "resync", "schedule", "worker")
    assert [f"token-refresh-prod-fleet-prod-eu-central-1-{role}" for role in roles] == names_of(fleet)
    assert ["token-refresh-acme-prod-webhooks-eu-central-1-receiver"] == names_of(receiver)
    # A function has the stack's name, which pages and messages print; a fleet's others add what they do.
    called = sorted(function["Properties"]["FunctionName"] for function in fleet.resources("Lambda::Function"))
    assert [f"token-refresh-prod-fleet-prod{what}" for what in ("", "-dispatcher", "-resync")] == called
    assert "token-refresh-acme-prod-webhooks" == receiver.one("Lambda::Function")["FunctionName"]


def names_of(deployment: Synthesis) -> list[object]:
    return sorted((role["Properties"]["RoleName"] for role in deployment.resources("IAM::Role")), key=str)
