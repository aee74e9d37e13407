"""The tags by which a secret names its deployment. The stack sets them, and `scripts/deploy` on an adopted secret.

A tag proves nothing: a caller that may tag the secret can name anything. Only CloudFormation can set its own tags.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

FUNCTION_TAG: Final = "token-refresh:function"
"""On the token secret: the function that refreshes it."""
PUBLISHED_TAG: Final = "token-refresh:published"
"""On the token secret: name or ARN of the published secret."""
CLAIM_TABLE_TAG: Final = "token-refresh:claim-table"
"""On the token secret: the DynamoDB table with its claims."""
PUBLISHED_FROM_TAG: Final = "token-refresh:published-from"
"""On the published secret: the name of the token secret."""
REPLICAS_TAG: Final = "token-refresh:replicas"
"""On the published secret: the regions that should have a replica, with spaces between them."""
COPY_OF_TAG: Final = "token-refresh:copy-of"
"""On the copy of a fleet's secret: the name of that token secret."""
PUBLISHED_UNDER_TAG: Final = "token-refresh:published-under"
"""On a fleet's table: the prefix under which copies are."""
STACK_TAG: Final = "aws:cloudformation:stack-id"
"""On what CloudFormation made: the ARN of its stack."""
LOGICAL_ID_TAG: Final = "aws:cloudformation:logical-id"
"""On what CloudFormation made: its name in the stack's template."""


class StackResource(StrEnum):
    """What our stacks make, by its logical ID in their template. These never change."""

    TOKENS = "TokenSecret55E51FA4"
    FUNCTION = "WorkerFunctionAF8A26AF"
    """Also a fleet's worker."""
    FLEET_TABLE = "Table710B521B"

    def stack(self, tags: Mapping[str, str]) -> str | None:
        """Return the stack that made it; None if the tags are not those of this resource of our template."""
        # An application's stack may have made an adopted secret, and others beside it: those have other logical IDs.
        return tags.get(STACK_TAG) if tags.get(LOGICAL_ID_TAG) == self else None
