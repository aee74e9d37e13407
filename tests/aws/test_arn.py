import pytest

from token_refresh.aws.arn import Arn, arn_region, name_same_secret, parse_arn, secret_name


def test_an_arn_is_split_into_its_parts() -> None:
    """The resource keeps its own colons."""
    arn = "arn:aws-cn:secretsmanager:cn-north-1:123456789012:secret:tokens-AbCdEf"
    expected = Arn("aws-cn", "secretsmanager", "cn-north-1", "123456789012", "secret:tokens-AbCdEf")
    assert expected == parse_arn(arn)
    assert "cn-north-1" == arn_region(arn)


@pytest.mark.parametrize(
    "text", ["tokens", "", "a:b", "a:b:c:d:e:f", "arn:aws:secretsmanager:eu-central-1", "arn:a:b:c:d"]
)
def test_a_name_is_not_an_arn(text: str) -> None:
    """Anything that does not have all six parts of an ARN is a name."""
    assert (None, None) == (parse_arn(text), arn_region(text))


def test_an_arn_may_have_no_region() -> None:
    """Global resources have no region."""
    assert None is arn_region("arn:aws:iam::123456789012:role/reader")


ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:acme/prod/upwork"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("tokens", "tokens", True),
        ("tokens", "token", False),
        (f"{ARN}-AbCdEf", f"{ARN}-AbCdEf", True),
        (f"{ARN}-AbCdEf", f"{ARN}-AbCdEg", False),
        ("acme/prod/upwork", f"{ARN}-AbCdEf", True),
        (f"{ARN}-AbCdEf", "acme/prod/upwork", True),
        ("acme/prod/upwork", ARN, True),
        ("acme.prod/upwork", ARN, False),
        ("acme/prod/upwork", f"{ARN}-AbCdE", False),
        ("acme/prod/upwork", f"{ARN}2-AbCdEf", False),
        (ARN, f"{ARN}-AbCdEf", True),
        (f"{ARN}-AbCdEf", ARN, True),
        (ARN, f"{ARN}2-AbCdEf", False),
        (ARN, f"{ARN}-AbCdEf".replace("eu-west-1", "eu-west-2"), False),
        (ARN, f"{ARN}-AbCdEf".replace("123456789012", "210987654321"), False),
    ],
)
def test_a_name_and_an_arn_can_name_the_same_secret(one: str, other: str, *, same: bool) -> None:
    """A name fits the ARN of that name, with or without the six characters that Secrets Manager adds."""
    assert same is name_same_secret(one, other)


@pytest.mark.parametrize(
    ("secret_id", "name"),
    [
        (f"{ARN}-AbCdEf", "acme/prod/upwork"),
        (ARN, "acme/prod/upwork"),
        (f"{ARN}-a-AbCdEf", "acme/prod/upwork-a"),
        ("acme/prod/upwork-AbCdEf", "acme/prod/upwork-AbCdEf"),
        ("garbage:", "garbage:"),
    ],
)
def test_the_name_in_an_arn(secret_id: str, name: str) -> None:
    """A complete ARN gives the secret's name; anything else is a name."""
    assert name == secret_name(secret_id)
