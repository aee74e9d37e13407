"""docs/testing.md: its examples are tests that pass."""

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "testing.md").read_text()
*EXAMPLES, CONFTEST = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
FIXTURES = """
def test_fixtures(fake_tokens, fake_secret):
    assert ("fake-access-token", "fake-secret") == (fake_tokens.get(), fake_secret.text())
"""


def test_the_examples_pass(pytester: pytest.Pytester) -> None:
    """The page's examples, one after the other, are a test module that passes, and its conftest gives the fixtures."""
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile("\n".join([*EXAMPLES, FIXTURES]))

    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=5)
