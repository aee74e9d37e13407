"""Metrics in a log line: CloudWatch's Embedded Metric Format, which needs no permission and no call.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from collections.abc import Mapping
from typing import Final

NAMESPACE: Final = "TokenRefresh"


def metric_fields(metrics: Mapping[str, float], *dimensions: Mapping[str, str]) -> dict[str, object]:
    """Return the fields of a log line that is a metric; the log adds the time.

    Args:
        metrics: Their values by name. The name says the unit.
        dimensions: Each set of dimensions under which CloudWatch keeps them; it adds up nothing over a dimension.
    """
    return {
        **metrics,
        **{name: value for names in dimensions for name, value in names.items()},
        "_aws": {
            "CloudWatchMetrics": [
                {
                    "Namespace": NAMESPACE,
                    "Dimensions": [list(names) for names in dimensions],
                    "Metrics": [{"Name": name, "Unit": _unit(name)} for name in metrics],
                }
            ]
        },
    }


def _unit(name: str) -> str:
    if name.endswith("Ms"):
        return "Milliseconds"
    return "Seconds" if "Seconds" in name else "Percent" if "Percent" in name else "Count"
