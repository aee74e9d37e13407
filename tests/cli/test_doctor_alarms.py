"""`doctor` and the alarms: those that ring, whatever they are on, and whether anybody hears of them."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from cli.aws import Account
from cli.scene import Cli
from token_refresh_admin.cli.context import Context
from token_refresh_admin.cli.doctor.function import NAMED

FUNCTION = "--function=worker"


def metric(namespace: str, **dimensions: str) -> dict[str, object]:
    names = [{"Name": name, "Value": value} for name, value in dimensions.items()]
    return {"Namespace": namespace, "MetricName": "m", "Dimensions": names}


@pytest.mark.parametrize("name", NAMED)
def test_the_alarms_of_a_deployment(cli: Cli, account: Account, name: str) -> None:
    """Alarms on the function, on its log and by their own name are seen, with the command that shows why.

    CloudFormation cuts the names of queues and rules. Those of a deployment whose name begins with this one's aren't.
    """
    account.deploy()
    queue = metric("AWS/SQS", QueueName="wor-ScheduleDeadLetters1A2B3C-XYZ")
    watched = {"worker": (metric("AWS/Lambda", FunctionName="worker"), metric("TokenRefresh/worker"), queue)}
    watched["worker-b"] = metric("AWS/Lambda", FunctionName="worker-b"), metric("TokenRefresh/worker-b"), queue
    for owner, (function, log, cut) in watched.items():
        for alarm, on in {"function": function, "log": log, name: cut}.items():
            account.alarm("ALARM", f"{owner}-{alarm}", **on)
    account.alarm("ALARM", "worker-b-queue", **metric("AWS/SQS", QueueName="worker-b-ScheduleDeadLetters1A2B3C-XYZ"))
    account.alarm("ALARM", "of-another", **metric("TokenRefresh", SecretId="another"))

    ended, without = cli("doctor", FUNCTION, COLUMNS="500"), cli("doctor")

    (ringing,) = re.findall("FAILED alarms: in alarm: ([^>]+) ->", ended.screen)
    assert sorted(["worker-function", "worker-log", f"worker-{name}"]) == sorted(ringing.split(", "))
    assert (
        "aws cloudwatch describe-alarms --alarm-types MetricAlarm CompositeAlarm --alarm-names worker-" in ended.screen
    )
    assert "--query '[MetricAlarms,CompositeAlarms][].AlarmDescription' --region eu-central-1" in ended.screen
    assert "worker-" not in without.screen


def test_an_alarm_on_an_expression(cli: Cli, account: Account) -> None:
    """An alarm that calculates with a metric of this secret is seen."""
    stat = {"Metric": metric("TokenRefresh", SecretId="upwork-oauth-tokens"), "Period": 60, "Stat": "Sum"}
    queries = [{"Id": "a", "MetricStat": stat, "ReturnData": False}, {"Id": "b", "Expression": "a*2"}]
    account.alarm("ALARM", "twice", Metrics=queries)

    assert "in alarm: twice" in cli("doctor").screen


def test_a_composite_alarm(cli: Cli, account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """A composite alarm around one of ours is seen where it rings, and one around another's is not."""
    account.alarm("OK", "measured", AlarmActions=[account.topic("me@example.com")])
    rules = {"renewal-overdue": 'ALARM("measured")', "of-another": 'ALARM("another")'}
    composites = [{"AlarmName": n, "AlarmRule": rule, "StateValue": "ALARM"} for n, rule in rules.items()]
    pages = Context.pages

    def with_composites(context: Context, action: str, *kind: str, **members: Any) -> Iterator[dict[str, Any]]:
        """Add what moto does not have, for those that ask for it."""
        yield from pages(context, action, *kind, **members)
        if "CompositeAlarm" in members.get("AlarmTypes", ()):
            yield {"CompositeAlarms": composites}

    monkeypatch.setattr(Context, "pages", with_composites)
    ended = cli("doctor")

    assert "in alarm: renewal-overdue ->" in ended.screen
    assert "ok alarm topic: 1 subscribed" in ended.screen
    assert "of-another" not in ended.screen


def test_nobody_has_confirmed(cli: Cli, account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """A subscription that nobody has confirmed gets no mail."""
    account.alarm(AlarmActions=[account.topic("me@example.com")])
    pages = Context.pages

    def unconfirmed(context: Context, action: str, *kind: str, **members: Any) -> Iterator[dict[str, Any]]:
        """Say what moto, which confirms at once, never says."""
        waits = {"Subscriptions": [{"SubscriptionArn": "PendingConfirmation"}]}
        return iter([waits]) if "Subscriptions" in action else pages(context, action, *kind, **members)

    monkeypatch.setattr(Context, "pages", unconfirmed)

    ended = cli("doctor")

    assert "look alarm topic: nobody hears of an alarm: 1 subscription(s) to" in ended.screen
    assert "open the link in the message that AWS sent" in ended.screen


def test_alarms_of_which_nobody_hears(cli: Cli, account: Account) -> None:
    """Without an action, without a subscription to its topic, or disabled an alarm tells nobody; a function is told."""
    shown = []
    pager = "arn:aws:lambda:eu-central-1:123456789012:function:pager"
    for actions, enabled in (([], True), ([account.topic()], True), ([account.topic()], False), ([pager], True)):
        account.alarm(AlarmActions=actions, ActionsEnabled=enabled)
        shown.append(cli("doctor").screen)
    silent, unheard, disabled, told = shown

    assert "look alarm topic: no alarm tells anybody -> set alarm_email or alarm_topic, and deploy:" in silent
    topic = "arn:aws:sns:eu-central-1:123456789012:alarms"
    assert f"look alarm topic: nobody hears of an alarm: no subscription to {topic}" in unheard
    assert f"aws sns subscribe --topic-arn {topic} --protocol email --notification-endpoint ADDRESS" in unheard
    assert "look alarm topic: the actions of renewal-overdue are disabled" in disabled
    assert "aws cloudwatch enable-alarm-actions --alarm-names renewal-overdue --region eu-central-1" in disabled
    assert "ok alarm topic" in told
