import pytest

from testbed.generated_names import generated_name, named


@pytest.mark.parametrize(
    ("limit", "logical_id", "name"),
    [
        (64, "RainlyticsSummariesJobFunctionRole0123", "ChineseboostAnalyticsStac-RainlyticsSummariesJobFun-"),
        (63, "rainlyticslogsbucket8df4abcd", "ChineseboostAnalyticsStac-rainlyticslogsbucket8df4-"),
        (512, "RainlyticsSummariesJobLogs1C6CB09C", "ChineseboostAnalyticsStack-RainlyticsSummariesJobLogs1C6CB09C-"),
        (64, "Rule", "ChineseboostAnalyticsStack-Rule-"),
    ],
)
def test_names_that_others_observed(limit: int, logical_id: str, name: str) -> None:
    """A name is cut where AWS cut those of a stack with 26 characters (github.com/KensioSoftware/yulin, issue 1113)."""
    made = generated_name("ChineseboostAnalyticsStack", logical_id, limit)

    assert name == made[:-12]
    assert len(made) <= limit


def test_only_what_has_no_name_gets_one() -> None:
    """A resource keeps the name that its template gives it; a queue in order ends as SQS wants it."""
    template = {
        "Resources": {
            "Own": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "mine"}},
            "Fifo": {"Type": "AWS::SQS::Queue", "Properties": {"FifoQueue": True}},
            "Key": {"Type": "AWS::KMS::Key"},
        }
    }

    made = named(template, "s" * 100)["Resources"]

    assert {"QueueName": "mine"} == made["Own"]["Properties"]
    assert (80, ".fifo") == (len(made["Fifo"]["Properties"]["QueueName"]), made["Fifo"]["Properties"]["QueueName"][-5:])
    assert {"Type": "AWS::KMS::Key"} == made["Key"]
