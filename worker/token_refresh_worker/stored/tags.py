"""The tags by which a secret names its deployment. The stack sets them, and `scripts/deploy` on an adopted secret.

A tag proves nothing: whoever may tag the secret can name anything. `STACK_TAG` does: only CloudFormation can set it.
"""

from typing import Final

FUNCTION_TAG: Final = "token-refresh:function"
"""On the token secret: the function that refreshes it."""
PUBLISHED_TAG: Final = "token-refresh:published"
"""On the token secret: name or ARN of the published secret."""
CLAIM_TABLE_TAG: Final = "token-refresh:claim-table"
"""On the token secret: the DynamoDB table with its claims."""
PUBLISHED_FROM_TAG: Final = "token-refresh:published-from"
"""On the published secret: the name of the token secret."""
STACK_TAG: Final = "aws:cloudformation:stack-id"
"""On what CloudFormation made: the ARN of its stack."""
