"""Secrets of Amplify: by the paths that it gives a function, and a developer's sandbox."""

import json

import pytest

from testbed.parameter_store import ParameterStoreServer
from token_refresh.reader import ConfigurationError, SecretNotFound, SecretReader, amplify_branch, amplify_sandbox
from token_refresh.reference import AMPLIFY_PLACEHOLDER


def amplify(monkeypatch: pytest.MonkeyPatch, **paths: dict[str, str]) -> None:
    monkeypatch.setenv("AMPLIFY_SSM_ENV_CONFIG", json.dumps(paths))


@pytest.mark.usefixtures("_aws")
def test_amplify_prefers_the_own_path(parameters: ParameterStoreServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """One call asks for the function's own path and the shared one; the own one wins."""
    amplify(monkeypatch, KEY={"path": "/amplify/own", "sharedPath": "/amplify/shared"})
    parameters.put("/amplify/shared", "shared")
    assert "shared" == SecretReader("amplify:KEY").text()
    parameters.put("/amplify/own", "own")
    assert "own" == SecretReader("amplify:KEY").text()
    assert ["/amplify/own /amplify/shared"] * 2 == [logged.call.secret_id for logged in parameters.calls]


@pytest.mark.usefixtures("_aws")
def test_missing_amplify_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret that Amplify has nowhere names the reference, and the command that sets it."""
    amplify(monkeypatch, KEY={"path": "/amplify/own"})
    with pytest.raises(
        SecretNotFound,
        match=r"/amplify/own in eu-central-1 \(amplify:KEY\) was not found .*`npx ampx sandbox secret set KEY`",
    ):
        SecretReader("amplify:KEY").text()


@pytest.mark.parametrize(
    "configured", [None, "canary", "[]", "{}", '{"KEY": {}}', '{"KEY": "canary"}', '{"KEY": {"path": 7}}']
)
def test_amplify_without_paths(monkeypatch: pytest.MonkeyPatch, configured: str | None) -> None:
    """Outside an Amplify function, or without the secret's paths, the message says how to give it the secret."""
    if configured is not None:
        monkeypatch.setenv("AMPLIFY_SSM_ENV_CONFIG", configured)
    with pytest.raises(ConfigurationError, match=r"amplify:KEY: AMPLIFY_SSM_ENV_CONFIG has no path for KEY") as caught:
        SecretReader("amplify:KEY").text()
    assert "canary" not in str(caught.value)


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


@pytest.mark.usefixtures("_aws")
def test_sandbox_secret_on_a_laptop(parameters: ParameterStoreServer) -> None:
    """The same code reads a developer's sandbox: only the reference differs."""
    parameters.put("/amplify/reasonableName/userName-sandbox-99c4c0494a/KEY", "mine")
    assert "mine" == SecretReader(amplify_sandbox("reasonableName", "userName", "KEY")).text()


def test_amplify_placeholder_is_not_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """Amplify's placeholder in a variable is refused, and the message names the reference that works."""
    monkeypatch.setenv("KEY", AMPLIFY_PLACEHOLDER)
    with pytest.raises(
        ConfigurationError, match="env:KEY holds Amplify's placeholder, not the secret: read amplify:KEY"
    ):
        SecretReader("env:KEY").text()
