import json
from pathlib import Path
from typing import Any

import pytest

from testbed.synthesis import Deployment, synthesise


def account(deployment: Deployment) -> Any:
    """The account that a template is for: one that is given, or that which it is deployed to."""
    return deployment.parameters.account or {"Ref": "AWS::AccountId"}


def test_cloudwatch_may_publish(plain: Deployment, everything: Deployment) -> None:
    """This stack's alarms may publish to the topic, through its key too; nothing may over an unencrypted connection."""
    for deployment in (plain, everything):
        statements = deployment.one("SNS::TopicPolicy")["PolicyDocument"]["Statement"]
        (publish,) = [s for s in statements if s["Effect"] == "Allow"]
        (refuse,) = [s for s in statements if s["Effect"] == "Deny"]
        assert [{"Ref": deployment.logical_id("SNS::Topic")}] == deployment.one("SNS::TopicPolicy")["Topics"]
        assert {"Service": "cloudwatch.amazonaws.com"} == publish["Principal"]
        assert "sns:Publish" == publish["Action"]
        assert account(deployment) == publish["Condition"]["StringEquals"]["aws:SourceAccount"]
        alarms = json.dumps(publish["Condition"]["ArnLike"]["aws:SourceArn"])
        assert alarms.rstrip('"]}').endswith(f":alarm:{deployment.parameters.stack_name}-*")
        assert ("*", {"Bool": {"aws:SecureTransport": "false"}}) == (refuse["Principal"], refuse["Condition"])

    key = everything.one("KMS::Key")["KeyPolicy"]["Statement"]
    (through,) = [s for s in key if s["Principal"] == {"Service": "cloudwatch.amazonaws.com"}]
    assert ["kms:Decrypt", "kms:GenerateDataKey"] == through["Action"]
    assert {
        "StringEquals": {"aws:SourceAccount": "123456789012"},
        "ArnLike": {"aws:SourceArn": "arn:aws:cloudwatch:eu-central-1:123456789012:alarm:token-refresh-upwork-prod-*"},
    } == through["Condition"]
    assert everything.arn_of("KMS::Key") == everything.one("SNS::Topic")["KmsMasterKeyId"]
    assert "operator@example.com" == everything.one("SNS::Subscription")["Endpoint"]


@pytest.mark.parametrize(
    ("values", "warned"), [({}, True), ({"alarm_email": "a@example.com"}, False), ({"alarms": False}, False)]
)
def test_nobody_hears_of_alarms(code: Path, values: dict[str, Any], *, warned: bool) -> None:
    """A deployment whose alarms nobody would hear of is warned of at synthesis."""
    chosen = {"environment": "dev"} | values
    texts = synthesise(chosen, code).warnings
    assert warned == any("nobody hears of an alarm: set alarm_email or alarm_topic" in text for text in texts)
