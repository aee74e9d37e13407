"""Secrets that are planted, and every trace of one that a text could hold."""

import base64
import hashlib
import secrets
from collections.abc import Iterator, Mapping

PART_CHARACTERS = 8
DIGEST_CHARACTERS = 10  # no version ID has these by accident

WORDS = ("", "access-", "refresh-", "client-secret-")
"""What the rig puts before a secret to say what it is, and what a search for parts must not take for one."""


def canary() -> str:
    """Draw a secret that nothing else looks like."""
    return secrets.token_hex(24).translate(str.maketrans("0123456789abcdef", "QWERTZUIOPGHJKLX"))


def random_part(secret: str) -> str:
    """Return a secret of the rig without the word before it."""
    return secret.removeprefix(next(word for word in reversed(WORDS) if secret.startswith(word)))


def leaks(text: str, planted: Mapping[str, str]) -> list[str]:
    """Name the planted secrets of which `text` shows a part of 8 characters, a digest or base64."""
    parts = {text[start : start + PART_CHARACTERS] for start in range(len(text) - PART_CHARACTERS + 1)}
    digests = {text[start : start + DIGEST_CHARACTERS] for start in range(len(text) - DIGEST_CHARACTERS + 1)}
    return [f"a part of {name}" for name, secret in planted.items() if parts.intersection(_parts(secret))] + [
        f"a digest of {name}" for name, secret in planted.items() if digests.intersection(_digests(secret))
    ]


def _parts(secret: str) -> Iterator[str]:
    for form in (secret, *_base64(secret.encode())):
        for start in range(len(form) - PART_CHARACTERS + 1):
            yield form[start : start + PART_CHARACTERS]


def _base64(value: bytes) -> Iterator[str]:
    """Encode at each of the three places where the value may stand in a longer one, less what its neighbours decide."""
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + value).decode()
        yield encoded[(before * 4 + 2) // 3 : -4]


def _digests(secret: str) -> Iterator[str]:
    for algorithm in (hashlib.md5, hashlib.sha1, hashlib.sha256):  # what a log might call a fingerprint
        for word in WORDS:
            digest = algorithm(f"{word}{secret}".encode()).digest()
            yield digest.hex()[:DIGEST_CHARACTERS]
            yield digest.hex()[:DIGEST_CHARACTERS].upper()
            yield base64.b64encode(digest).decode()[:DIGEST_CHARACTERS]
