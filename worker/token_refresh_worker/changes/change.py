"""What all changes share."""

from token_refresh.errors import TokenRefreshError


class ChangeFailed(TokenRefreshError):  # noqa: N818 - named as the other failures are
    """A change can't be made; the message says why, and what to do."""
