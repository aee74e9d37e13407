"""`#field` at the end of a reference: every store of AWS, every reader, and one read for the fields of one secret."""

import json
from collections.abc import Callable

import pytest

from testbed.parameter_store import ParameterStoreServer
from testbed.reader_surroundings import START, Clock, Store, runtime
from token_refresh.reader import InvalidSecretDocument, SecretGroup, SecretNotFound, SecretReader, TokenReader

SLACK = json.dumps({"signingSecret": ["new", "old"], "botToken": "canary"})
DOCUMENT = {"accessToken": "token", "expiresAt": (int(START) + 3600) * 1000}


def arn_of(store: Store, name: str) -> str:
    return str(store.client.describe_secret(SecretId=name)["ARN"])


@pytest.mark.parametrize("named", [lambda _, name: name, arn_of])
def test_it_means_what_the_argument_means(store: Store, clock: Clock, named: Callable[[Store, str], str]) -> None:
    """By name and by ARN, a list included: one read, of the secret without its field."""
    store.put_text(SLACK, secret_id="my-app/prod/slack")
    secret_id = named(store, "my-app/prod/slack")
    by_name = SecretReader(f"{secret_id}#signingSecret", client=store.client, runtime=runtime(clock))
    by_argument = SecretReader(secret_id, field="signingSecret", client=store.client, runtime=runtime(clock))

    assert ["new", "old"] == [secret.text() for secret in by_name.accepted()]
    assert ["new", "old"] == [secret.text() for secret in by_argument.accepted()]
    assert f"{secret_id}#signingSecret" == by_name.secret().secret_id
    assert 2 == store.reads


@pytest.mark.usefixtures("_aws")
def test_in_parameter_store(parameters: ParameterStoreServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A parameter may hold a JSON object, too, by its path or as a secret of an Amplify function."""
    monkeypatch.setenv("AMPLIFY_SSM_ENV_CONFIG", '{"SLACK": {"path": "/amplify/own", "sharedPath": "/amplify/shared"}}')
    for path in ("/app/dev/slack", "/amplify/own"):
        parameters.put(path, SLACK)

    assert "canary" == SecretReader("ssm:/app/dev/slack#botToken").text()
    assert "new" == SecretReader("amplify:SLACK#signingSecret").text()


@pytest.mark.usefixtures("_aws")
def test_a_missing_secret_of_amplify(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command that sets it names the secret, which is stored as a whole."""
    monkeypatch.setenv("AMPLIFY_SSM_ENV_CONFIG", '{"SLACK": {"path": "/amplify/own"}}')
    with pytest.raises(SecretNotFound, match="`npx ampx sandbox secret set SLACK`"):
        SecretReader("amplify:SLACK#signingSecret").text()


def test_a_group_reads_each_secret_once(store: Store, clock: Clock) -> None:
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


def test_a_token_document_in_a_field(store: Store, clock: Clock) -> None:
    """A reader of tokens finds the document under the field; what is none is named by the field, and not shown."""
    store.put_text(json.dumps({"upwork": DOCUMENT, "other": "canary"}), secret_id="both")

    assert "token" == TokenReader("both#upwork", client=store.client, runtime=runtime(clock)).get()
    for field, kind in (("other", "a JSON string"), ("none", "missing")):
        with pytest.raises(InvalidSecretDocument, match=f"field {field} must be a JSON object; it is {kind}") as caught:
            TokenReader(f"both#{field}", client=store.client, runtime=runtime(clock)).get()
        assert "canary" not in str(caught.value)
