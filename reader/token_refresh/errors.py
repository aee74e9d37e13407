"""All named failures, one class each. Lambda reports the class name as `errorType`.

An error says what failed, why, and which command fixes it. It contains no secret, and of a provider's response only
error codes of RFC 6749 and values that its profile names: Lambda's runtime prints what is raised.
"""

import copy
from datetime import datetime
from typing import ClassVar, Literal, Self, TypeVar

from token_refresh.advice import Advice, in_words


class TokenRefreshError(Exception):
    """Base of all named failures.

    Attributes:
        what (str): What failed.
        why (str): The reason, if `what` does not tell it.
        fix (str or tuple): What to do, as words and commands.
        needs_person (bool): Whether somebody has to act. If not, a later run or another try may succeed.
        retry_at (datetime): When a scheduled run tries again, where that is known; None otherwise.
    """

    needs_person: bool = True
    retry_at: "datetime | None" = None
    failed_at: ClassVar[Literal["provider", "store"] | None] = None
    """Who refused: the provider a token request, or Secrets Manager a read or a write."""
    shared: ClassVar[Literal["account", "deployment", "provider"] | None] = None
    """Which other secrets of a fleet may have the same fault: over for one, it may be over for all of them."""
    fleet_state: ClassVar[str | None] = None
    """How a fleet names the state of its secret; by default `error` where a person is needed."""

    def __init__(self, what: str = "", *, why: str = "", fix: str | Advice = ()) -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.fix: Advice = (fix,) if isinstance(fix, str) else fix

    @property
    def facts(self) -> str:
        """What failed, and why."""
        return f"{self.what}: {self.why}" if self.why else self.what

    @property
    def parts(self) -> Advice:
        """The facts, then what to do. Not named `message`: error reporters send an attribute of that name."""
        if not self.fix:
            return (self.facts,)
        begins_sentence = isinstance(self.fix[0], str) and self.fix[0][:1].isupper()
        return (self.facts, ". " if begins_sentence else "; " if self.why else ": ", *self.fix)

    def __str__(self) -> str:
        return in_words(self.parts)

    def within(self, what: str, fix: Advice) -> Self:
        """Return it as the reason why something larger failed: it keeps its name, and whether a person is needed."""
        wider = without_traceback(self)
        wider.what, wider.why, wider.fix = what, self.facts, fix
        return wider


class ConfigurationError(TokenRefreshError):
    """A setting is missing or wrong, or does not fit the stored tokens.

    Fix: Correct the setting that the message names.

    Attributes:
        setting: The name of the setting, if the message begins with it.
    """

    shared = "deployment"
    setting: str = ""

    @classmethod
    def of(cls, setting: str, problem: str, *, why: str = "", fix: str | Advice = ()) -> "ConfigurationError":
        """Say what is wrong with a setting."""
        error = cls(f"{setting} {problem}", why=why, fix=fix)
        error.setting = setting
        return error


class InvalidEvent(TokenRefreshError):
    """The event is not one that the function accepts. Fix: correct the key that the message names."""


class InvalidSecretDocument(TokenRefreshError):
    """The stored value is not a token document.

    Fix: Correct a time that the message names; else `token-refresh restore`, or `token-refresh authorize`.
    """


class SecretStoreError(TokenRefreshError):
    """Base of failures of Secrets Manager and DynamoDB. The message names secret, region and action."""


class SecretNotFound(SecretStoreError):
    """The secret does not exist in this account and region.

    Fix: Check name and region.

    Attributes:
        secret_id: The name or ARN that was asked for.
        is_deleted: Whether it is marked for deletion, so that its name is taken.
    """

    shared = "account"
    secret_id: str | None = None
    is_deleted: bool = False


class SecretEmpty(SecretStoreError):
    """The secret has no value yet, or its grant was revoked on purpose.

    Fix: `token-refresh authorize`.
    """

    fleet_state = "empty"


class SecretAccessDenied(SecretStoreError):
    """The caller lacks a permission on the secret, its key or the claim table.

    Fix: Allow the action that the message names.

    Attributes:
        by_key: Whether KMS refused the key of what was read: denied, disabled or deleted.
    """

    shared = "account"
    by_key: bool = False


class SecretStoreUnavailable(SecretStoreError):
    """AWS is unreachable, throttles, or is at a limit. Fix: wait; check the network."""

    needs_person, failed_at, shared = False, "store", "account"


class TableUnavailable(SecretStoreError):
    """DynamoDB is unreachable, throttles or fails; Secrets Manager may be well. Fix: wait; check the network."""

    needs_person, shared = False, "deployment"


class RefreshError(TokenRefreshError):
    """Base of failures of the refresh itself."""


class ReauthorizationRequired(RefreshError):
    """The provider rejected the refresh token, and nothing newer is stored; or the grant has perhaps ended.

    Fix: `token-refresh authorize`.
    """

    failed_at, fleet_state = "provider", "reauthorize"


class RefreshOutcomeUnknown(RefreshError):
    """A token request was sent and no usable response arrived. The provider may have redeemed the token.

    Fix: The next run repeats it within the grace period. Otherwise runs wait until shortly before expiry: wait, too, or
    authorize again. At the grant's risk, `token-refresh refresh --resend CLAIM` sends the token again now.
    """

    needs_person, failed_at, fleet_state = False, "provider", "held"


class ResponseKept(RefreshError):
    """The provider's response can't be read and may hold new tokens. It is stored in the secret, and nothing is sent.

    Fix: `token-refresh recover` stores the tokens that you point to in the response.
    """

    failed_at = "provider"


class TokensKept(RefreshError):
    """New tokens arrived, and Secrets Manager does not take them. The claim table keeps them, encrypted.

    Fix: Correct what the message names, such as a permission or a key. The next run stores them.
    """

    failed_at, shared = "store", "account"


class KeptTokensUnreadable(RefreshError):
    """The claim table keeps tokens that can't be decrypted. Nothing is sent.

    Fix: Let the function use the key again. If the key is deleted: `token-refresh authorize`.
    """

    shared = "account"


class TokensNotStored(RefreshError):
    """New tokens arrived but could not be stored before the deadline. Fix: as for `RefreshOutcomeUnknown`."""

    needs_person, failed_at = False, "store"


class TokenEndpointUnavailable(RefreshError):
    """The token endpoint is unreachable or asks to retry later. Nothing was redeemed.

    Fix: Wait; check endpoint and network.

    Attributes:
        busy: Whether the endpoint responded, and asked to retry later.
    """

    needs_person, failed_at = False, "provider"
    busy: bool = False


class InvalidTokenResponse(RefreshError):
    """The response is neither a token response nor an error response of RFC 6749, such as a maintenance page.

    Fix: Wait; check `TOKEN_ENDPOINT`, and whether a proxy responds.
    """

    needs_person, failed_at, shared = False, "provider", "provider"


class ClientRejected(RefreshError):
    """The provider rejected the client credentials; the grant may be fine. Fix: correct them where they are stored."""

    failed_at, shared = "provider", "provider"


class TokenRequestRejected(RefreshError):
    """The token endpoint rejected the request with another error code of RFC 6749.

    Fix: Check that the client may use the grant.
    """

    failed_at, shared = "provider", "provider"


class DeadlineExceeded(RefreshError):
    """Too little time is left to redeem and store safely. Nothing was redeemed. Fix: raise the function's timeout."""

    needs_person = False


class SecretFull(RefreshError):
    """The secret holds as many versions, or labels, as Secrets Manager allows. Nothing was sent.

    Fix: Stop what else writes to the secret (`token-refresh history`). Runs go on at `retry_at`, or once labels are
    taken off.
    """

    needs_person = False


class InternalError(TokenRefreshError):
    """A defect of this program. The message says where, never what the data was. Fix: report it with its place."""

    shared = "deployment"


def error_named(name: object) -> type[TokenRefreshError] | None:
    """Return the class of an error by its name, as results and rows have it; None where none of ours has it."""
    found = globals().get(name) if isinstance(name, str) else None
    return found if isinstance(found, type) and issubclass(found, TokenRefreshError) else None


def raised_at(error: BaseException) -> str:
    """Say of which type an error is and where it was raised. Its text is left out: it may hold a secret."""
    # Walked, not `traceback.extract_tb`: that reads source files on the path of a request.
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f" at {trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}" if trace else ""
    return f"{type(error).__name__}{place}"


def and_causes(error: BaseException) -> list[BaseException]:
    """Return an error and all that led to it: causes, contexts and members of groups; each once, as in a circle."""
    found: list[BaseException] = []
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        link = waiting.pop()
        if link is None or id(link) in seen:
            continue
        seen.add(id(link))
        found.append(link)
        members = link.exceptions if isinstance(link, BaseExceptionGroup) else ()
        waiting += [*reversed(members), link.__context__, link.__cause__]
    return found


E = TypeVar("E", bound=TokenRefreshError)


def without_traceback(error: E) -> E:
    """Copy an error without its traceback, cause and context, so that each caller raises a separate one.

    The frames of a traceback hold the stored document, and error reporters print them.
    """
    # Not `with_traceback(None)`: raising one object in two threads would mix their tracebacks.
    return copy.copy(error)


def detached(error: BaseException) -> TokenRefreshError:
    """Copy an error as `without_traceback` does; one that has no name of ours becomes an `InternalError`.

    Of such an error it says the class and the place. Its text is left out: it may quote what is stored.
    """
    if isinstance(error, TokenRefreshError):
        return without_traceback(error)
    return InternalError(f"{raised_at(error)}: a defect of this program")
