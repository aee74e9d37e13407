"""Scopes as responses name them, and what a refresh took from a grant."""

import pytest

from token_refresh_worker.oauth.scopes import lost_scopes, read_scopes


@pytest.mark.parametrize(
    ("value", "scopes"),
    [
        ("write read", ("read", "write")),
        ("read,write", ("read", "write")),
        ("read, read", ("read",)),
        (["chat:edit", "chat:read"], ("chat:edit", "chat:read")),
        ("https://www.googleapis.com/auth/drive", ("https://www.googleapis.com/auth/drive",)),
        (None, None),
        ("", ()),
        (" ", ()),
        ([], ()),
        (7, None),
        ({"read": True}, None),
        (["read", 7], None),
        ([""], None),
        (["a" * 129], None),
        ("é", None),
        ("a\u0007", None),
        (" ".join(f"s{n}" for n in range(101)), None),
    ],
)
def test_scopes_are_read(value: object, scopes: tuple[str, ...] | None) -> None:
    """Spaces, commas and lists mean the same; an empty one names none; what can't be scopes counts as omitted."""
    assert scopes == read_scopes(value)


def test_what_a_page_was_asked_for() -> None:
    """A page's own separator divides the scopes that it was asked for."""
    assert ("read", "write") == read_scopes("read+write", separator="+")


@pytest.mark.parametrize(
    ("before", "now", "lost"),
    [
        (("a", "b"), ("a",), ("b",)),
        (("a",), ("a", "b"), ()),
        (("a", "offline", "offline_access", "openid"), ("a",), ()),
        (("User.Read",), ("user.read",), ()),
        (("a", "b"), (), ("a", "b")),
        (None, ("a",), ()),
        (("a",), None, ()),
    ],
)
def test_what_a_refresh_took(
    before: tuple[str, ...] | None, now: tuple[str, ...] | None, lost: tuple[str, ...]
) -> None:
    """More scopes are no loss, nor is another case, one that asks for a token, or what nobody knows."""
    assert lost == lost_scopes(before, now)
