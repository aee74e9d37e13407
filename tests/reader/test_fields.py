"""`#field` at the end of a reference, and secrets of Amplify, by the paths that it gives a function or a sandbox."""

import json
from collections.abc import Callable

import pytest

from testbed.parameter_store import ParameterStoreServer
from testbed.reader_surroundings import START, Store, WallClock, runtime
from token_refresh.reader import (
    ConfigurationError,
    InvalidSecretDocument,
    SecretGroup,
    SecretNotFound,
    SecretReader,
    TokenReader,
    amplify_branch,
    amplify_sandbox,
)
from token_refresh.reference import AMPLIFY_PLACEHOLDER

pytestmark = pytest.mark.usefixtures("_aws")
SLACK = json.dumps({"signingSecret": ["new", "old"], "botToken": "canary"})
DOCUMENT = {"accessToken": "token", "expiresAt": (int(START) + 3600) * 1000}


def arn_of(store: Store, name: str) -> str:
    return str(store.client.describe_secret(SecretId=name)["ARN"])


@pytest.mark.parametrize("named", [lambda _, name: name, arn_of])
def test_it_means_what_the_argument_means(store: Store, clock: WallClock, named: Callable[[Store, str], str]) -> None:
    """By name and by ARN, a list included: one read, of the secret without its field."""
    store.put_text(SLACK, secret_id="my-app/prod/slack")
    secret_id = named(store, "my-app/prod/slack")
    by_name = SecretReader(f"{secret_id}#signingSecret", client=store.client, runtime=runtime(clock))
    by_argument = SecretReader(secret_id, field="signingSecret", client=store.client, runtime=runtime(clock))

    assert ["new", "old"] == [secret.text() for secret in by_name.accepted()]
    assert ["new", "old"] == [secret.text() for secret in by_argument.accepted()]
    assert f"{secret_id}#signingSecret" == by_name.secret().secret_id
    assert 2 == store.reads


def test_in_parameter_store(parameters: ParameterStoreServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A parameter may hold a JSON object, too, by its path or as a secret of an Amplify function."""
    monkeypatch.setenv("AMPLIFY_SSM_ENV_CONFIG", '{"SLACK": {"path": "/amplify/own", "sharedPath": "/amplify/shared"}}')
    for path in ("/app/dev/slack", "/amplify/own"):
        parameters.put(path, SLACK)

    assert "canary" == SecretReader("ssm:/app/dev/slack#botToken").text()
    assert "new" == SecretReader("amplify:SLACK#signingSecret").text()


def test_a_group_reads_each_secret_once(store: Store, clock: WallClock) -> None:
    """Two fields of one secret and another secret are one call that names two; a list gives its first string."""
    store.put_text(SLACK, secret_id="slack")
    store.put_text("plain", secret_id="stripe")
    names = ("slack#signingSecret", "slack#botToken", "stripe")
    asked: list[list[str]] = []

    def note(params: dict[str, list[str]], **_: object) -> None:
        asked.append(params["SecretIdList"])

    store.client.meta.events.register("before-parameter-build.secrets-manager.BatchGetSecretValue", note)
    group = SecretGroup(*names, client=store.client, runtime=runtime(clock))

    assert ["new", "canary", "plain"] == [group[name].text() for name in names]
    assert [["slack", "stripe"]] == asked


def test_a_token_document_in_a_field(store: Store, clock: WallClock) -> None:
    """A reader of tokens finds the document under the field; what is none is named by the field, and not shown."""
    store.put_text(json.dumps({"upwork": DOCUMENT, "other": "canary"}), secret_id="both")

    assert "token" == TokenReader("both#upwork", client=store.client, runtime=runtime(clock)).get()
    for field, kind in (("other", "a JSON string"), ("none", "missing")):
        with pytest.raises(InvalidSecretDocument, match=f"field {field} must be a JSON object; it is {kind}") as caught:
            TokenReader(f"both#{field}", client=store.client, runtime=runtime(clock)).get()
        assert "canary" not in str(caught.value)


def test_amplify_prefers_the_own_path(parameters: ParameterStoreServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """One call asks for the function's own path and the shared one; the own one wins."""
    monkeypatch.setenv("AMPLIFY_SSM_ENV_CONFIG", '{"KEY": {"path": "/amplify/own", "sharedPath": "/amplify/shared"}}')
    parameters.put("/amplify/shared", "shared")
    assert "shared" == SecretReader("amplify:KEY").text()
    parameters.put("/amplify/own", "own")
    assert "own" == SecretReader("amplify:KEY").text()
    assert ["/amplify/own /amplify/shared"] * 2 == [logged.call.secret_id for logged in parameters.calls]


@pytest.mark.parametrize("reference", ["amplify:KEY", "amplify:KEY#signingSecret"])
def test_missing_amplify_secret(monkeypatch: pytest.MonkeyPatch, reference: str) -> None:
    """A secret that Amplify has nowhere names the reference, and the command that sets it, which stores it whole."""
    monkeypatch.setenv("AMPLIFY_SSM_ENV_CONFIG", '{"KEY": {"path": "/amplify/own"}}')
    with pytest.raises(
        SecretNotFound,
        match=r"/amplify/own in eu-central-1 \(amplify:KEY\) was not found .*`npx ampx sandbox secret set KEY`",
    ):
        SecretReader(reference).text()


@pytest.mark.parametrize(
    "configured", [None, "canary", "[]", "{}", '{"KEY": {}}', '{"KEY": "canary"}', '{"KEY": {"path": 7}}']
)
def test_amplify_without_paths(monkeypatch: pytest.MonkeyPatch, configured: str | None) -> None:
    """Outside an Amplify function, without the secret's paths or with its placeholder, the message says what to do."""
    if configured is not None:
        monkeypatch.setenv("AMPLIFY_SSM_ENV_CONFIG", configured)
    with pytest.raises(ConfigurationError, match=r"amplify:KEY: AMPLIFY_SSM_ENV_CONFIG has no path for KEY") as caught:
        SecretReader("amplify:KEY").text()
    assert "canary" not in str(caught.value)
    monkeypatch.setenv("KEY", AMPLIFY_PLACEHOLDER)
    with pytest.raises(ConfigurationError, match="env:KEY holds Amplify's placeholder, not the secret: read amplify:K"):
        SecretReader("env:KEY").text()


@pytest.mark.parametrize(
    ("namespace", "instance", "kind", "path"),
    [
        ("reasonableName", "userName", "sandbox", "reasonableName/userName-sandbox-99c4c0494a"),
        (
            't-_e.s,@ t--T@,,  !@#$%^&*(){}:":<>?/|\\\\[]   H/I. .S',
            "t-_h.i,@ ng1-&&%2@@3-   _",
            "branch",
            "testTHIS/thing123-branch-",
        ),
        (
            "reasonableName",
            "InsanelyLong" * 8,
            "sandbox",
            "reasonableName/InsanelyLongInsanelyLongInsanelyLongInsanelyLongIn-",
        ),
        ("InsanelyLong" * 12, "userName", "sandbox", ("InsanelyLong" * 12)[:91] + "/userName-sandbox-"),
    ],
)
def test_amplify_paths(namespace: str, instance: str, kind: str, path: str) -> None:
    """A path is made as Amplify's own code makes it: stripped, cut to a stack name's length, with its hash."""
    reference = (amplify_sandbox if kind == "sandbox" else amplify_branch)(namespace, instance, "KEY")
    assert reference.startswith(f"ssm:/amplify/{path}")
    assert reference.endswith("/KEY")
