"""Errors as values: what failed, why, and commands that can be copied whatever is in them."""

import copy
import shlex

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from token_refresh.advice import Advice, Command
from token_refresh.errors import SecretNotFound, TokenRefreshError


def shown(word: str) -> str:
    """A word as a printed command has it: on one line."""
    return "".join(c if c.isprintable() else "�" for c in word)


@given(st.lists(st.text(), min_size=1))
@example(["$(id)", "`id`", "'", '"', "\\", "; rm -rf /", "a\nb", "\u2028", "\u202e", "!!", "~", "", "#"])
def test_a_command_is_read_as_its_words(words: list[str]) -> None:
    """A shell reads a printed command as exactly its words, and it is one line, whatever the words are."""
    line = str(Command(tuple(words)))

    assert [shown(word) for word in words] == shlex.split(line)
    assert [line] == line.splitlines()


@given(st.text(), st.text())
@example("a b", "{}")
def test_a_value_stays_one_word(one: str, other: str) -> None:
    """Each value in a command's line is one word, also one with spaces or braces."""
    assert ("aws", "--name", one, "--region", other) == Command.of("aws --name {} --region {}", one, other).words


@pytest.mark.parametrize(
    ("why", "fix", "expected"),
    [
        ("", (), "it failed"),
        ("", "Mend it", "it failed. Mend it"),
        ("", "mend it", "it failed: mend it"),
        ("", (Command.of("aws sso login"), " mends it"), "it failed: `aws sso login` mends it"),
        ("no reason", (), "it failed: no reason"),
        ("no reason", "Mend it", "it failed: no reason. Mend it"),
        ("no reason", ("mend it: ", Command.of("aws {}", "$(id)")), "it failed: no reason; mend it: `aws '$(id)'`"),
    ],
)
def test_an_error_as_text(why: str, fix: str | Advice, expected: str) -> None:
    """As text, an error says what failed, why, and what to do, with each command in backticks."""
    assert expected == str(TokenRefreshError("it failed", why=why, fix=fix))


def test_a_copy_says_the_same() -> None:
    """A copy of an error has all of its parts."""
    error = SecretNotFound("gone", why="deleted", fix=("restore it: ", Command.of("aws restore {}", "a b")))
    error.is_deleted = True

    copied = copy.copy(error)

    assert (str(error), error.fix, True) == (str(copied), copied.fix, copied.is_deleted)
