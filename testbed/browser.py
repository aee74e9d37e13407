"""Chromium without a window, for pages that only a real browser shows."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from selenium import webdriver

_FLAGS: Final = (
    "--headless",
    "--no-sandbox",  # tests run as root where CI does
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextlib.contextmanager
def chromium(folder: Path, *flags: str) -> Iterator[webdriver.Chrome]:
    """Start it with a profile of its own in a folder, and end it."""
    options = webdriver.ChromeOptions()
    options.binary_location = str(shutil.which("chromium"))
    for flag in (*_FLAGS, *flags, f"--user-data-dir={folder / 'profile'}"):
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    try:
        yield driver
    finally:
        driver.quit()
