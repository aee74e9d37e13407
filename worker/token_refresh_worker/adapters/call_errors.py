"""How a call to AWS failed, and whether the same call may succeed in a moment."""

from typing import Final

from token_refresh.aws.causes import Cause, failure_of

_SWAP_REFUSED: Final = frozenset({"InvalidParameterException", "InvalidRequestException"})


class CallError(Exception):
    """A call failed; the code says how. It never leaves the adapter."""

    def __init__(self, error: Exception, code: str) -> None:
        super().__init__(code)
        self.error = error
        self.code = code

    @staticmethod
    def of(error: Exception, *, after_write: bool = False) -> "CallError":
        """Give the error of a failed call: a `TransientCallError` if the same call may succeed in a moment.

        Args:
            error: What the client raised.
            after_write: Whether the call follows a write. A new version can be unknown to the next call for a moment.
        """
        failure = failure_of(error)
        transient = failure.cause.is_transient or (after_write and failure.cause in {Cause.NOT_FOUND, Cause.NO_VALUE})
        return (TransientCallError if transient else CallError)(error, failure.code)


class TransientCallError(CallError):
    """The same call may succeed in a moment; nobody knows whether it had an effect."""


def code_of(error: Exception) -> str:
    """Give the service's error code, or the class of the client's error."""
    return failure_of(error).code


def missing_value(error: Exception) -> bool:
    """Whether the secret exists and the version or label does not."""
    return failure_of(error).cause is Cause.NO_VALUE


def swap_refused(error: Exception) -> bool:
    """Whether `UpdateSecretVersionStage` did not find a label where it was expected."""
    failure = failure_of(error)
    return failure.code in _SWAP_REFUSED and failure.cause is not Cause.DELETED
