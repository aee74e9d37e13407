"""What every test leaves as it found it."""

import logging
import warnings
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def libraries_log_as_before() -> Iterator[None]:
    """Give the root logger and the warnings back: the handler takes them over, and its output ends with its test."""
    root, show = logging.getLogger(), warnings.showwarning
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], warnings.showwarning = handlers, show
    root.setLevel(level)
