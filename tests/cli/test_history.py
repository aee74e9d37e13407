"""`history`: which versions there are."""

from cli.scene import SECRET_ID, Cli, Tokens
from testbed.builders import DAY
from testbed.provider import script
from testbed.provider.token_endpoint import TokenEndpoint
from testbed.secrets_manager.server import SecretsManagerServer
from token_refresh_admin.changes.change import PROBE_VERSION_ID
from token_refresh_worker.core.versions import REDIRECT_NOTE


def kinds(cli: Cli, *flags: str) -> list[tuple[str, list[str]]]:
    return [(v["kind"], v["labels"]) for v in cli("history", "--json", *flags).json["versions"]]


def test_history(cli: Cli, tokens: Tokens, endpoint: TokenEndpoint, store: SecretsManagerServer) -> None:
    """Each version is listed with what it is and its labels; claims and records that have no label, on demand."""
    first = tokens.store()
    endpoint.play(script.error("invalid_client", http_status=401))
    cli("refresh")
    store.clock_offset_seconds = 200
    cli("refresh")
    store.clock_offset_seconds = 400
    cli("refresh", "--force")

    listed = cli("history")

    assert 0 == listed.code
    assert first[:8] in listed.screen
    assert "token set, stored by something other" in listed.screen
    assert [
        ("received", ["AWSCURRENT", "REFRESH_OUTCOME"]),
        ("claim", ["REFRESH_CLAIM"]),
        ("received", ["AWSPREVIOUS"]),
        ("stored", []),
    ] == kinds(cli)
    assert ["claim", "claim", "claim"] == [kind for kind, _ in kinds(cli, "--all") if kind == "claim"]
    assert "AWSPREVIOUS" in listed.screen
    assert all(len(line) <= 80 for line in listed.out.splitlines())


def test_without_refresh_tokens(cli: Cli, tokens: Tokens, store: SecretsManagerServer) -> None:
    """A set without a refresh token is one by its access token; an empty object is none; a new secret has none."""
    store.client().create_secret(Name=SECRET_ID)
    assert [] == kinds(cli)
    tokens.put("{}")
    tokens.store(expires_in=50 * DAY, refreshToken=None)

    versions = cli("history", "--json", PROVIDER="threads").json["versions"]

    assert ["other", "stored"] == sorted(version["kind"] for version in versions)


def test_fates(cli: Cli, tokens: Tokens, endpoint: TokenEndpoint, store: SecretsManagerServer) -> None:
    """Each token set and claim says what became of its refresh token, and garbage is no token set."""
    redeemed = tokens.store(expires_in=DAY)
    cli("refresh", "--force")
    received = store.client().get_secret_value(SecretId=SECRET_ID)["VersionId"]
    garbage = tokens.put("garbage")
    unused = tokens.store(expires_in=DAY)
    endpoint.play(script.status(500))
    cli("refresh", "--force", REPLAY_GRACE_SECONDS="0")
    origin = {"host": "h", "grace_seconds": 0, "store": "versions"}
    before = tokens.store(expires_in=DAY, tokenRefresh=origin)
    known = {"claim": "c" * 36, "number": 1}
    authorized = tokens.store(expires_in=DAY, refreshToken="new", tokenRefresh=origin | known | {"authorized": True})

    found = {v["version_id"]: (v["kind"], v["fate"]) for v in cli("history", "--all", "--json").json["versions"]}

    assert {
        redeemed: ("stored", "redeemed"),
        received: ("received", "unused"),
        garbage: ("other", None),
        unused: ("stored", "may be redeemed"),
        before: ("authorized", "unused"),
        authorized: ("authorized", "unused"),
    }.items() <= found.items()
    assert {("claim", "stored"), ("claim", "unknown"), ("record", "unknown")} <= set(found.values())


def test_a_probe(cli: Cli, tokens: Tokens) -> None:
    """The version that tried a permission, and the one that took a redirect, are named; also with wrong settings."""
    tokens.store(expires_in=DAY, provider="nobody")
    tokens.put("{}", ClientRequestToken=PROBE_VERSION_ID, VersionStages=["probe"])
    tokens.put(f"{REDIRECT_NOTE}, nonce", VersionStages=["redirect"])

    listed = kinds(cli, "--all")

    assert {("probe", "probe"), ("redirect", "redirect")} <= {(kind, *labels) for kind, labels in listed}
    assert ("stored", ["AWSCURRENT"]) in listed
