import pytest

from token_refresh.aws.arn import Arn, arn_region, parse_arn


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
