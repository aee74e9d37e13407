"""Generated responses in all formats."""

import json
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from examples import examples
from token_refresh.stored.times import LONGEST_LIFETIME
from token_refresh_worker.oauth.formats import Encoding, Expiry, Matcher, ResponseFormat
from token_refresh_worker.oauth.response import TokenResponse, read_response

GROUP = "unmeasured"

SENT_AT = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


keys = st.sampled_from(["access_token", "refresh_token", "expires_in", "error", "token_type", "scope", "x"])


errors = st.sampled_from(["invalid_grant", "invalid_client", "canary-error", "temporarily_unavailable"])


bodies = (
    st.dictionaries(keys, errors | st.text(max_size=8) | json_values, max_size=6).map(lambda d: json.dumps(d).encode())
    | st.binary(max_size=80)
    | st.none()
)


forms = st.builds(
    ResponseFormat,
    encoding=st.sampled_from([Encoding.JSON, Encoding.FORM]),
    envelope=st.sampled_from([(), ("x",), ("error",), ("x", "0")]),
    names=st.dictionaries(keys, keys | st.just("x"), max_size=2),
    expiry=st.sampled_from(Expiry),
    dead=st.lists(st.builds(Matcher, fields=st.just({"error": "canary-error"})), max_size=1).map(tuple),
    keep=st.just(("scope",)),
    rotates=st.booleans(),
)


@settings(max_examples=examples(3_000))
@given(status=st.integers(100, 599), body=bodies, form=forms)
def test_whatever_a_provider_sends_is_tokens_or_a_named_failure(
    status: int, body: bytes | None, form: ResponseFormat
) -> None:
    """Generated responses in all formats: nothing raises, and what is said quotes no value of the response."""
    found = read_response(status, body, None, form)

    if isinstance(found, TokenResponse):
        assert 200 <= status < 300
        lifetime = found.lifetime_from(SENT_AT)
        assert lifetime is None or timedelta(seconds=1) <= lifetime <= LONGEST_LIFETIME
        return
    rest = found.seen.removeprefix(f"HTTP {status}").strip()
    known = "with a body that is", "with an error in it", "with no usable", "with a refresh_token", "without an RFC"
    assert rest in {"", f"with {found.error}", "with error=canary-error"} or rest.startswith(
        (*known, "with no object at")
    )
    unsure = "temporarily_unavailable"
    assert found.error in {None, "invalid_grant", "invalid_client", "canary-error", unsure}
    if found.error not in {"canary-error", unsure}:
        assert (status >= 500 or status < 300 or status in {408, 499}) >= found.kind.may_have_redeemed
