"""Names as CloudFormation gives them to resources that a template does not name.

AWS documents the form alone, `{stack}-{logical ID}-{random}`. How it cuts what is longer than a service takes is in the
library of its resource handlers (`IdentifierUtils.generateResourceIdentifier` of cloudformation-cli-java-plugin), and
agrees with names that others observed.
"""

import hashlib
from typing import Any

LIMITS = {
    "AWS::Events::Rule": ("Name", 64),
    "AWS::IAM::ManagedPolicy": ("ManagedPolicyName", 128),
    "AWS::IAM::Role": ("RoleName", 64),
    "AWS::SNS::Topic": ("TopicName", 256),
    "AWS::SQS::Queue": ("QueueName", 80),
}
"""The property with the name of each type, and how long that may be."""
RANDOM = 12


def generated_name(stack: str, logical_id: str, limit: int) -> str:
    """Return a name in which stack and logical ID have an equal share, and each what the other leaves."""
    free = limit - RANDOM - 2
    for_stack = min(len(stack), max(-(-free // 2), free - len(logical_id)))
    digest = hashlib.sha256(f"{stack}/{logical_id}".encode()).hexdigest()[:RANDOM]
    return f"{stack[:for_stack]}-{logical_id[: free - for_stack]}-{digest}"


def named(template: dict[str, Any], stack: str) -> dict[str, Any]:
    """Return a template in which each resource of these types has a name."""
    return template | {"Resources": {id_: _named(r, stack, id_) for id_, r in template["Resources"].items()}}


def _named(resource: dict[str, Any], stack: str, logical_id: str) -> dict[str, Any]:
    if resource["Type"] not in LIMITS:
        return resource
    of, limit = LIMITS[resource["Type"]]
    properties = resource.get("Properties", {})
    suffix = ".fifo" if properties.get("FifoQueue") else ""
    return resource | {"Properties": {of: generated_name(stack, logical_id, limit - len(suffix)) + suffix} | properties}
