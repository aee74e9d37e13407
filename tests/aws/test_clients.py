import pytest
from botocore.config import Config
from botocore.exceptions import NoRegionError

from token_refresh.aws.clients import make_client


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")


@pytest.mark.parametrize(
    ("region", "environment", "expected"),
    [
        ("eu-west-1", {"AWS_REGION": "eu-north-1"}, "eu-west-1"),
        (None, {"AWS_REGION": "eu-north-1", "AWS_DEFAULT_REGION": "us-east-1"}, "eu-north-1"),
        (None, {"AWS_REGION": "", "AWS_DEFAULT_REGION": "us-east-1"}, "us-east-1"),
    ],
)
def test_the_region_is_the_given_one_or_the_configured_one(
    monkeypatch: pytest.MonkeyPatch, region: str | None, environment: dict[str, str], expected: str
) -> None:
    """A given region comes first, then AWS_REGION, then what botocore reads itself."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert expected == make_client("secretsmanager", region=region, config=Config()).meta.region_name


def test_a_client_needs_a_region() -> None:
    """Without any region there is no client."""
    with pytest.raises(NoRegionError):
        make_client("secretsmanager", region=None, config=Config())
