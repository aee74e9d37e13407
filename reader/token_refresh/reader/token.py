"""An access token, as a reader gives it."""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """An access token; its `repr` and `str` never show it.

    Attributes:
        value: What follows `Bearer`.
        expires_at: From then on the provider rejects it.
        version_id: The version of the secret that holds it: log this to tell tokens apart.
        created_at: When that version was stored, by the clock of the store.
    """

    value: str = field(repr=False)
    expires_at: datetime
    version_id: str
    created_at: datetime
