"""Variables fill the places that a profile leaves open, and can't choose who receives a token."""

import random
from collections.abc import Sequence
from urllib.parse import urlsplit

import pytest

from token_refresh.errors import ConfigurationError
from token_refresh_worker.providers.variables import EndpointVariable, fill, host_is_fixed, read_variable

SHOP = {"shop": EndpointVariable(name="shop", pattern="[a-z0-9][a-z0-9-]*")}
TEMPLATE = "https://{shop}.myshopify.com/admin/oauth/access_token"
LOOSE = {"shop": EndpointVariable(name="shop", pattern="(?s).*")}
"""The most careless pattern that somebody could write."""

HOSTILE = (
    *("evil.example/", "evil.example#", "evil.example?", "evil.example\\", "evil.example:443", "x@evil.example"),
    *("%2e%2e", "..", "a..b", "a\n"),
)
MARKS = "ab1.-_/\\@:#?%&=[]{}\n\t\r \0\uff0e\u3002\uff0f\uff20\uff41\u00ad"
ANY = [*map(chr, range(0xD800)), *"ab1-" * 50_000]
"""What most values are made of, and one or two of the others."""


@pytest.mark.parametrize("values", [{}, {"shop": None}, {"shop": 7}, {"shop": ""}, {"shop": "canary.example"}])
def test_a_missing_or_wrong_value_is_named_and_not_shown(values: dict[str, object]) -> None:
    """The error says which variable it is, where it goes and what it must be."""
    with pytest.raises(
        ConfigurationError, match=r"variable shop: add it to providerVariables .* matches \[a-z"
    ) as caught:
        fill(TEMPLATE, SHOP, values, provider="shopify")

    assert "canary" not in str(caught.value)


def test_a_list_of_values_is_closed() -> None:
    """Where a profile lists the values, no other is accepted."""
    region = EndpointVariable(name="region", pattern="", choices=("com", "com.cn"))

    assert ["com", "com.cn"] == [value for value in ("com", "com.cn", "org", "COM", "") if region.accepts(value)]
    with pytest.raises(ConfigurationError, match=r"must be one of com, com\.cn"):
        fill("https://accounts.zoho.{region}/t", {"region": region}, {"region": "org"}, provider="zoho")


@pytest.mark.parametrize("characters", [MARKS, ANY], ids=["marks", "any"])
def test_no_value_changes_the_host(characters: Sequence[str]) -> None:
    """10,000 random values: even with a careless pattern, a value fills its place and nothing else."""
    dice = random.Random()  # noqa: S311 - no secret
    for value in [*HOSTILE, *("".join(dice.choices(characters, k=dice.randint(0, 12))) for _ in range(10_000))]:
        stays_in_its_place(value)


def stays_in_its_place(value: str) -> None:
    try:
        filled = fill("https://{shop}.myshopify.com/{shop}/token", LOOSE, {"shop": value}, provider="shopify")
    except ConfigurationError:
        return
    parts = urlsplit(filled)
    assert f"{value}.myshopify.com".lower() == parts.hostname == parts.netloc.lower()
    assert ("https", f"/{value}/token", "", "") == (parts.scheme, parts.path, parts.query, parts.fragment)
    assert value not in {"", ".", ".."}


@pytest.mark.parametrize(
    ("template", "fixed"),
    [
        ("https://{shop}.myshopify.com/t", True),
        ("https://{shop}.eu.myshopify.com/{shop}", True),
        ("https://api.example.com/{shop}", True),
        ("https://{shop}.example.com:8443/t", True),
        ("https://{shop}.com/t", False),
        ("https://{shop}.com:8443/t", False),
        ("https://{shop}/t", False),
        ("https://{shop}:443/t", False),
        ("https://api.{shop}.com/t", False),
        ("https://{shop}myshopify.com/t", False),
        ("https://{shop}.example.com:{shop}/t", False),
        ("https://{shop}.my.{shop}/t", False),
    ],
)
def test_a_free_variable_needs_a_literal_domain_to_its_right(template: str, fixed: bool) -> None:  # noqa: FBT001 - a case
    """A profile whose variable could name any domain isn't accepted."""
    assert fixed is host_is_fixed(template, LOOSE)


def test_a_value_may_stand_for_a_domain() -> None:
    """A table of values is closed too; what fills the place is what the value stands for."""
    region = read_variable("region", {"com": "zoho.com", "ca": "zohocloud.ca"})
    template = "https://accounts.{region}/t"

    assert "https://accounts.zohocloud.ca/t" == fill(template, {"region": region}, {"region": "ca"}, provider="zoho")
    with pytest.raises(ConfigurationError, match="must be one of com, ca"):
        fill(template, {"region": region}, {"region": "zohocloud.ca"}, provider="zoho")
    assert host_is_fixed("https://{shop}.{region}/t", {**LOOSE, "region": region})
    assert not host_is_fixed("https://{shop}.{region}/t", {**LOOSE, "region": read_variable("region", {"x.y": "com"})})


def test_a_listed_domain_counts_as_literal() -> None:
    """A domain from a closed list may stand to the right of a free variable."""
    cloud = EndpointVariable(name="cloud", pattern="", choices=("cloud.example.com", "example.net"))
    top = EndpointVariable(name="cloud", pattern="", choices=("example.com", "net"))

    assert host_is_fixed("https://{shop}.{cloud}/t", {**LOOSE, "cloud": cloud})
    assert not host_is_fixed("https://{shop}.{cloud}/t", {**LOOSE, "cloud": top})


def test_many_lists_take_no_time() -> None:
    """50 lists of 200 values have more combinations than could ever be tried; the worst value of each list decides."""
    lists = {
        f"v{'x' * n}": EndpointVariable(name=f"v{'x' * n}", pattern="", choices=("a",) * 199 + ("b.c",))
        for n in range(50)
    }
    host = ".".join(f"{{{name}}}" for name in lists)

    assert host_is_fixed(f"https://{{shop}}.{host}/t", LOOSE | lists)
    assert not host_is_fixed(f"https://{host}.{{shop}}/t", LOOSE | lists)
