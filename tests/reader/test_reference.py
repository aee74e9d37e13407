"""The references that a reader takes, and how a malformed one is named."""

from typing import Any

import pytest

from token_refresh.reader import ConfigurationError, SecretGroup, SecretReader, TokenReader
from token_refresh.reader.reference import AMPLIFY_PLACEHOLDER, Reference, ReferenceScheme, parse_reference

ARN = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:tokens-AbCdEf"


@pytest.mark.parametrize(
    ("text", "scheme", "name"),
    [
        ("tokens", ReferenceScheme.SECRET, "tokens"),
        ("my-app/prod/stripe_v2+x=1@home.", ReferenceScheme.SECRET, "my-app/prod/stripe_v2+x=1@home."),
        (ARN, ReferenceScheme.SECRET, ARN),
        ("ssm:/app/dev/key", ReferenceScheme.PARAMETER, "/app/dev/key"),
        ("amplify:STRIPE_KEY", ReferenceScheme.AMPLIFY, "STRIPE_KEY"),
        ("env:STRIPE_KEY", ReferenceScheme.ENVIRONMENT, "STRIPE_KEY"),
        ("file:/tmp/a:b", ReferenceScheme.FILE, "/tmp/a:b"),  # noqa: S108 - only parsed
    ],
)
def test_references(text: str, scheme: ReferenceScheme, name: str) -> None:
    """A name of Secrets Manager has no colon, so the scheme before one is never ambiguous."""
    assert Reference(scheme=scheme, name=name, text=text) == parse_reference(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "a reader needs a reference and got an empty string: give the name or ARN of a secret, ssm:/path"),
        (" ", "got an empty string"),
        (None, "got NoneType"),
        (7, "got int"),
        (AMPLIFY_PLACEHOLDER, "the reference is Amplify's placeholder for a secret: give amplify:NAME"),
        ("vault:canary", "the reference is malformed"),
        ("ssm:", "the reference is malformed"),
        ("canary secret", "can't be the name or ARN of a secret"),
        ('{"canary": 1}', "the reference is malformed"),
        ("arn:aws:ssm:eu-central-1:123456789012:parameter/canary", "can't be the name or ARN of a secret"),
        ("ssm:/app/key:3", "ssm:/app/key:3 must be a parameter's path without a version"),
        ("ssm:/app/key\n", r"ssm:/app/key\\n must be a parameter's path without .* white space"),
    ],
)
def test_malformed_reference(text: Any, says: str) -> None:
    """A malformed reference is named when the reader is made, and not quoted: it may be a secret itself."""
    for make in (TokenReader, SecretReader, SecretGroup):
        with pytest.raises(ConfigurationError, match=says) as caught:
            make(text)
        assert "canary" not in str(caught.value)


@pytest.mark.parametrize("text", ["env:KEY", "file:/tmp/key"])
def test_local_references_are_refused_in_lambda(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Nothing local is read in Lambda: a secret in a variable shows in the function's configuration."""
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "consumer")
    with pytest.raises(ConfigurationError, match=f"{text} is for local development and is refused in Lambda"):
        SecretReader(text)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"ttl": 5}, r"ttl must be a timedelta, such as timedelta\(minutes=5\); it is a int"),
        ({"max_stale": 5}, "max_stale must be a timedelta"),
        ({"overlap": 5}, "overlap must be a timedelta"),
        ({"region": "eu-west-1"}, "region is eu-west-1, and .* is of another: leave region out"),
    ],
)
def test_wrong_arguments(arguments: dict[str, Any], says: str) -> None:
    """An argument that can't be right is named when the reader is made."""
    with pytest.raises(ConfigurationError, match=says):
        SecretReader(ARN, **arguments)
