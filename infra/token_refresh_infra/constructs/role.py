"""The roles of functions and schedules, under names that stay when a stack is deleted and deployed again.

The policy of a secret that stayed names the old role, so a new role of another name would be locked out.
"""

import hashlib

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

NAME_LIMIT = 64
_REGION_LIMIT = 16  # not each region's own length, so that a stack's part is shortened alike in all of them
_DIGEST = 8


def service_role(scope: Construct, construct_id: str, *, name: str | None, assumed_by: iam.IPrincipal) -> iam.Role:
    """Make a role that is named after its stack and region, and after what it is for; without that, it is not named."""
    stack = Stack.of(scope)
    full = role_name(stack.stack_name, stack.region, name) if name else None
    return iam.Role(scope, construct_id, role_name=full, assumed_by=assumed_by)


def role_name(stack_name: str, region: str, what: str) -> str:
    """Return a name of 64 characters at most that no other stack of the account has: IAM knows no regions.

    A long stack's name is cut, and ends in a digest of all of it.
    """
    room = NAME_LIMIT - _REGION_LIMIT - len(what) - 2
    if len(stack_name) > room:
        digest = hashlib.sha256(stack_name.encode()).hexdigest()[:_DIGEST]
        stack_name = f"{stack_name[: room - _DIGEST - 1]}-{digest}"
    return f"{stack_name}-{region}-{what}"
