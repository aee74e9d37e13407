"""The providers' own libraries judge the same deliveries: verdicts are equal, but for the differences named here.

stripe, slack-sdk, gidgethub and standardwebhooks are in the test group only. Each is given a secret, headers and body;
what it raises of any kind is "refused". Two of them read the clock themselves, so deliveries are signed around now.

EXCEPT lists where we judge otherwise on purpose. What is made here lacks four more differences: Stripe's library takes
a time in the future, gidgethub SHA-1, and standardwebhooks an ID with a period; only gidgethub reads what is no UTF-8.
"""

import base64
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
import stripe
from gidgethub.sansio import validate_event
from hypothesis import given, settings
from hypothesis import strategies as st
from slack_sdk.signature import SignatureVerifier
from standardwebhooks.webhooks import Webhook

from examples import examples
from testbed.webhooks.fake_secret import FakeSecret
from testbed.webhooks.signing import HEADERS, SIGNATURE_HEADER, SentRequest, sent
from token_refresh.webhooks import SENDERS, Verifier, WebhookError

SECRETS = {
    "stripe": "whsec_a",
    "slack": "b" * 32,
    "github": "c c",
    "standard": "whsec_" + base64.b64encode(b"d" * 24).decode(),
}


Corrupt = Callable[[st.DrawFn, str, SentRequest], SentRequest]


def leave(_draw: st.DrawFn, _kind: str, request: SentRequest) -> SentRequest:
    return request


def other_body(draw: st.DrawFn, _kind: str, request: SentRequest) -> SentRequest:
    return replace(request, body=draw(st.text(max_size=30)).encode())


def other_secret(draw: st.DrawFn, kind: str, request: SentRequest) -> SentRequest:
    secret = "whsec_" + base64.b64encode(draw(st.binary(min_size=1, max_size=40))).decode()
    return sent(kind, request.body, secret=secret, at=int(time.time()))


def other_time(draw: st.DrawFn, kind: str, request: SentRequest) -> SentRequest:
    # Further than the seconds that pass between two clocks being read; the future is one of Stripe's differences.
    off = draw(st.sampled_from([-100_000, -310, -290, 0, 290] + ([310, 100_000] if kind != "stripe" else [])))
    return sent(kind, request.body, secret=SECRETS[kind], at=int(time.time()) + off)


def cut_header(draw: st.DrawFn, kind: str, request: SentRequest) -> SentRequest:
    name = SIGNATURE_HEADER[kind]
    value = request.headers[name]
    return replace(request, headers=request.headers | {name: value[: draw(st.integers(0, len(value) - 1))]})


def change_header(draw: st.DrawFn, kind: str, request: SentRequest) -> SentRequest:
    name = SIGNATURE_HEADER[kind]
    value = request.headers[name]
    place = draw(st.integers(0, len(value) - 1))
    inserted = draw(st.text("0123456789abcdefv=,tT zZ", max_size=3))
    changed = value[:place] + inserted + value[place + draw(st.integers(0, 2)) :]
    return replace(request, headers=request.headers | {name: changed})


def drop_header(draw: st.DrawFn, _kind: str, request: SentRequest) -> SentRequest:
    name = draw(st.sampled_from(sorted(request.headers)))
    return replace(request, headers={key: value for key, value in request.headers.items() if key != name})


def any_header(draw: st.DrawFn, _kind: str, request: SentRequest) -> SentRequest:
    name = draw(st.sampled_from(sorted(request.headers)))
    return replace(request, headers=request.headers | {name: draw(st.text(max_size=80))})


def more_signatures(draw: st.DrawFn, kind: str, request: SentRequest) -> SentRequest:
    name, separator = SIGNATURE_HEADER[kind], {"stripe": ",", "standard": " "}.get(kind, ",")
    wrong = sent(kind, request.body, secret="whsec_b3RoZXI=").headers[name]
    others = [part for part in wrong.split(separator) if not part.startswith("t=")]
    parts = draw(st.permutations(request.headers[name].split(separator) + others))
    return replace(request, headers=request.headers | {name: separator.join(parts)})


CORRUPTIONS: tuple[Corrupt, ...] = (
    leave,
    other_body,
    other_secret,
    other_time,
    cut_header,
    change_header,
    drop_header,
    any_header,
    more_signatures,
)


def theirs(kind: str, request: SentRequest) -> bool:
    headers, body, secret = request.headers, request.body, SECRETS[kind]
    try:
        match kind:
            case "stripe":
                signature = headers.get("Stripe-Signature")
                stripe.WebhookSignature.verify_header(body.decode(), signature, secret, tolerance=300)
            case "slack":
                return SignatureVerifier(secret).is_valid_request(body, headers)
            case "github":
                validate_event(body, signature=headers["X-Hub-Signature-256"], secret=secret)
            case _:
                Webhook(secret).verify(body, headers, json_parse=False)
    except Exception:  # noqa: BLE001 - they raise nearly everything
        return False
    return True


def ours(kind: str, request: SentRequest) -> bool:
    try:
        Verifier(SENDERS[kind], FakeSecret(SECRETS[kind])).verify(request.headers, request.body)
    except WebhookError:
        return False
    return True


@st.composite
def requests(draw: st.DrawFn, kind: str) -> SentRequest:
    body = draw(st.text(max_size=60)).encode()
    request = SentRequest(headers=HEADERS[kind](body, SECRETS[kind], int(time.time())), body=body)
    return draw(st.sampled_from(CORRUPTIONS))(draw, kind, request)


@pytest.mark.no_cover  # generates thousands of cases, which coverage makes twice as slow
@pytest.mark.parametrize("kind", SECRETS)
def test_same_verdict(kind: str) -> None:
    """On deliveries and corruptions of any kind, the provider's own library and we say the same."""
    seen: set[bool] = set()

    @settings(max_examples=examples(400))
    @given(request=requests(kind))
    def same(request: SentRequest) -> None:
        if any(applies(request) for name, applies in EXCEPT.items() if name.startswith(kind)):
            return
        verdict = ours(kind, request)
        assert theirs(kind, request) == verdict
        seen.add(verdict)

    same()
    assert {True, False} == seen


def stripe_parts(request: SentRequest) -> list[tuple[str, str]]:
    header = request.headers.get("Stripe-Signature", "")
    return [(name, value) for name, _, value in (part.partition("=") for part in header.split(","))]


EXCEPT: dict[str, Callable[[SentRequest], bool]] = {
    # Generated now and then by `change_header`.
    "stripe: more than one time": lambda request: len([1 for name, _ in stripe_parts(request) if name == "t"]) > 1,
    "stripe: v1 without =": lambda request: "v1" in request.headers.get("Stripe-Signature", "").split(","),
    "stripe: more than one = in a part": lambda request: any("=" in value for _, value in stripe_parts(request)),
    "stripe: padded time": lambda request: any(
        name == "t" and not (value.isascii() and value.isdigit() and value == str(int(value)))
        for name, value in stripe_parts(request)
    ),
    "standard: signature written loosely": lambda request: any(
        base64.b64encode(loose(part)).decode() != part.partition(",")[2]
        for part in request.headers.get("webhook-signature", "").split(" ")
    ),
    "standard: a part without a comma": lambda request: any(
        "," not in part for part in request.headers.get("webhook-signature", ",").split(" ")
    ),
    "standard: time written loosely": lambda request: (
        not (
            request.headers.get("webhook-timestamp", "x").isascii()
            and request.headers.get("webhook-timestamp", "x").isdigit()
        )
    ),
}


def loose(part: str) -> bytes:
    try:
        return base64.b64decode(part.partition(",")[2])
    except ValueError:
        return b""
