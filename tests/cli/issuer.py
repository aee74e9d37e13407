"""A profile of one's own, made from the page's template as its reader makes it."""

from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "providers.md"


def fill_template(issuer: str, authorization_endpoint: str, token_endpoint: str, *, resource: str | None = None) -> str:
    """Fill in what an authorization server publishes; without a resource the template's line goes."""
    template = PAGE.read_text().split("## An issuer that nobody listed")[1].split("```toml\n")[1].split("```")[0]
    filled = {
        '"https://idp.example.com/token"': token_endpoint,
        '"https://idp.example.com/revoke"': token_endpoint.replace("/token", "/revoke"),
        '"https://api.example.com/"': resource or "",
        '"https://idp.example.com/authorize"': authorization_endpoint,
        '"https://idp.example.com"': issuer,
        '"openid", "offline_access"': "read",
    }
    for example, own in filled.items():
        assert 1 == template.count(example), example
        template = template.replace(example, f'"{own}"')
    lines = template.splitlines(keepends=True)
    return "".join(line for line in lines if resource or not line.startswith("resource"))
