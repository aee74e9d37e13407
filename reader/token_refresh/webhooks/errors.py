"""Why a delivery was refused; each error carries the HTTP status that its sender gets.

TokenRefreshError
  WebhookError
    WebhookMalformed     400  a signature header is missing, doubled or garbled
    WebhookNotVerified   401  the signature or its time doesn't hold
    WebhookTooLarge      413  the queue can't take a message of this size
    DeliveryNotQueued    503  the queue refused; the sender should try again

Messages never hold a header, a body or a secret.
"""

from typing import ClassVar

from token_refresh.errors import TokenRefreshError


class WebhookError(TokenRefreshError):
    """Base of the reasons to refuse a delivery.

    Attributes:
        status: The HTTP status for its sender.
    """

    status: ClassVar[int] = 500


class WebhookMalformed(WebhookError):  # noqa: N818 - the names are part of the contract
    """The request can't be a delivery: no retry will help. Status 400."""

    status = 400


class WebhookNotVerified(WebhookError):  # noqa: N818 - likewise
    """The signature fits no accepted secret, or its time is too far from ours. Status 401."""

    status = 401


class WebhookTooLarge(WebhookError):  # noqa: N818 - likewise
    """The delivery is larger than the queue's limit. Status 413."""

    status = 413


class DeliveryNotQueued(WebhookError):  # noqa: N818 - likewise
    """The queue did not take the delivery. Status 503."""

    status = 503
