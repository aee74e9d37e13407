"""Whatever a service responds, a reader returns a value or raises one of its named errors, which quotes none of it."""

from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

from examples import examples
from testbed.reader_surroundings import WallClock, runtime
from token_refresh.reader import (
    InternalError,
    SecretEmpty,
    SecretGroup,
    SecretReader,
    SecretStoreUnavailable,
    TokenReader,
    TokenRefreshError,
)

CANARY = "canary\x1b"
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.binary(max_size=8)
    | st.just(CANARY)
    | st.just('{"accessToken": "token", "expiresAt": 1900000000000}')
    | st.datetimes(timezones=st.just(UTC) | st.none())
)
ANY = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
)
SECRET = st.fixed_dictionaries(
    {},
    optional={
        "Name": st.just("key") | ANY,
        "ARN": st.just("arn") | ANY,
        "SecretString": ANY,
        "SecretBinary": ANY,
        "VersionId": st.just("version-1") | ANY,
        "CreatedDate": st.just(datetime(2026, 11, 24, tzinfo=UTC)) | ANY,
    },
)
PARAMETER = st.fixed_dictionaries(
    {},
    optional={
        "Name": st.just("/key") | ANY,
        "Value": ANY,
        "Version": st.just(1) | ANY,
        "LastModifiedDate": st.just(datetime(2026, 11, 24, tzinfo=UTC)) | ANY,
    },
)
RESPONSES = {
    "secretsmanager": SECRET | ANY,
    "batch": st.fixed_dictionaries({}, optional={"SecretValues": st.lists(SECRET, max_size=2) | ANY, "Errors": ANY})
    | ANY,
    "ssm": st.fixed_dictionaries({}, optional={"Parameters": st.lists(PARAMETER, max_size=2) | ANY}) | ANY,
}
READS: dict[str, list[Callable[[Any], object]]] = {
    "secretsmanager": [
        lambda client: TokenReader("key", client=client, background=False, runtime=runtime(WallClock())).get(),
        lambda client: SecretReader("key", client=client, background=False, runtime=runtime(WallClock())).binary(),
        lambda client: SecretReader("key", client=client, field="key", runtime=runtime(WallClock())).accepted(),
    ],
    "batch": [lambda client: SecretGroup("key", client=client)["key"]],
    "ssm": [lambda client: SecretReader("ssm:/key", client=client, runtime=runtime(WallClock())).text()],
}


def stub(respond: Callable[..., object]) -> Any:
    # No Mock: thousands of them take most of the time.
    calls = dict.fromkeys(("get_secret_value", "batch_get_secret_value", "get_parameters"), respond)
    return SimpleNamespace(meta=SimpleNamespace(region_name="eu-central-1"), **calls)


@pytest.mark.no_cover  # generates thousands of cases, which coverage makes twice as slow
@pytest.mark.parametrize("service", RESPONSES)
def test_any_response_has_a_name(service: str) -> None:
    """800 generated responses for each service: a value, or a named error without a part of the response."""

    @settings(max_examples=examples(800))
    @given(response=RESPONSES[service])
    def check(response: object) -> None:
        for read in READS[service]:
            try:
                read(stub(lambda **_: response))
            except TokenRefreshError as error:
                assert not isinstance(error, InternalError), "a defect"  # noqa: PT017 - either way is right
                assert CANARY not in str(error)  # noqa: PT017 - likewise

    check()


@pytest.mark.no_cover  # generates thousands of cases, which coverage makes twice as slow
@settings(max_examples=examples(800))
@given(response=st.fixed_dictionaries({}, optional={"Error": ANY, "ResponseMetadata": ANY}) | ANY)
def test_any_error_response_has_a_name(response: object) -> None:
    """800 generated error responses: each is a named error without a part of the response."""
    refusal = ClientError({"Error": {}, "ResponseMetadata": {}}, "GetSecretValue")  # type: ignore[typeddict-item] # malformed on purpose
    refusal.response = response  # type: ignore[assignment] # likewise

    def refuse(**_: object) -> None:
        raise refusal

    with pytest.raises(TokenRefreshError) as caught:
        SecretReader("key", client=stub(refuse)).text()
    assert not isinstance(caught.value, InternalError)
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize(
    ("member", "value"),
    [*(("VersionId", value) for value in (CANARY, "", "a b", "x" * 65, "é")), ("SecretString", 7)],
)
def test_a_member_of_another_form_is_not_quoted(member: str, value: object) -> None:
    """A version ID is printed in messages and logs, so it must look like one; a value is text or binary data."""
    response = {"SecretString": "{}", "VersionId": "v", "CreatedDate": datetime(2026, 11, 24, tzinfo=UTC)}
    with pytest.raises(SecretStoreUnavailable, match=f"a response without a usable {member}") as caught:
        TokenReader("key", client=stub(lambda **_: {**response, member: value})).get()
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize("read", READS["secretsmanager"][:1] + READS["batch"])
def test_a_version_without_a_value(read: Callable[[Any], object]) -> None:
    """A version with neither text nor binary data is an empty secret, and the error says who stores a value."""
    entry = {"Name": "key", "ARN": "arn", "VersionId": "v", "CreatedDate": datetime(2026, 11, 24, tzinfo=UTC)}
    advice = r"(the worker has not published a token yet|store one with `aws secretsmanager put-secret-value)"
    with pytest.raises(SecretEmpty, match=rf"key in eu-central-1 has no current value .*: {advice}"):
        read(stub(lambda **_: {**entry, "SecretValues": [entry], "Errors": []}))
