"""What Secrets Manager refuses, for callers that try again."""

from typing import Final

from token_refresh.aws.causes import Cause, failure_of

_SWAP_REFUSED: Final = frozenset({"InvalidParameterException", "InvalidRequestException"})


class Refused(Exception):  # noqa: N818 - it never leaves the adapter
    """A call failed; the code says how."""

    def __init__(self, error: Exception, code: str) -> None:
        super().__init__(code)
        self.error = error
        self.code = code

    @staticmethod
    def of(error: Exception, *, after_write: bool = False) -> "Refused":
        """Tell a failure that passes from one that doesn't.

        Args:
            error: What the client raised.
            after_write: Whether the call follows a write. A new version can be unknown to the next call for a moment.
        """
        failure = failure_of(error)
        passes = failure.cause.passes or (after_write and failure.cause in {Cause.NOT_FOUND, Cause.NO_VALUE})
        return (Transient if passes else Refused)(error, failure.code)


class Transient(Refused):
    """The same call may succeed in a moment; whether it had an effect is not known."""


def code_of(error: Exception) -> str:
    """Give the service's error code, or the class of the client's error."""
    return failure_of(error).code


def missing_value(error: Exception) -> bool:
    """Whether the secret exists and the version or label does not."""
    return failure_of(error).cause is Cause.NO_VALUE


def refused(error: Exception) -> bool:
    """Whether a label was not where it was expected."""
    failure = failure_of(error)
    return failure.code in _SWAP_REFUSED and failure.cause is not Cause.DELETED
