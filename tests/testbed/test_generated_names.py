import pytest

from testbed.generated_names import generated_name


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
