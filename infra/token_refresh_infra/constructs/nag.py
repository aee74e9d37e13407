"""Exceptions to AWS Solutions' rules (cdk-nag), each with its reason."""

from typing import Any

from aws_cdk import Acknowledgment, Stack, Validations
from constructs import IConstruct


def acknowledge(construct: IConstruct, rule: str, reason: str) -> None:
    """Say why a construct breaks a rule, as in `SQS3` or `IAM5[Resource::*]`."""
    rule = _flat(Stack.of(construct).resolve(rule))
    Validations.of(construct).acknowledge(Acknowledgment(id=f"AwsSolutions::AwsSolutions-{rule}", reason=reason))


def _flat(resolved: Any) -> str:
    """Write what is known at deployment alone, such as the account, as cdk-nag does: `<AWS::AccountId>`."""
    if isinstance(resolved, str):
        return resolved
    parts = resolved["Fn::Join"][1]
    return "".join(part if isinstance(part, str) else f"<{part['Ref']}>" for part in parts)
