"""How many invocations of the alias `live` went to a version, and failed, by CloudWatch."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from lightmodel.delivery.aws_account import Client
from lightmodel.delivery.aws_alias import LIVE

_MINUTE_S = 60


@dataclass(frozen=True)
class Counts:
    """Invocations of one version, and those of them that failed."""

    invocations: float
    errors: float

    @property
    def share(self) -> float:
        """The share that failed; 0 without invocations."""
        return self.errors / self.invocations if self.invocations else 0.0


def counts_of(
    metrics: Client, function: str, versions: Sequence[str], since: datetime
) -> dict[str, Counts]:
    """Return the counts of each version since a time; the last minutes may still be missing."""
    keys = [(version, name) for version in versions for name in ("Invocations", "Errors")]
    answer = metrics.get_metric_data(
        MetricDataQueries=[
            {"Id": f"m{at}", "MetricStat": _metric(function, *key)} for at, key in enumerate(keys)
        ],
        StartTime=since.replace(second=0, microsecond=0),
        EndTime=datetime.now(UTC) + timedelta(seconds=_MINUTE_S),
    )
    sums = {one["Id"]: sum(one["Values"]) for one in answer["MetricDataResults"]}
    found = {key: sums.get(f"m{at}", 0.0) for at, key in enumerate(keys)}
    return {one: Counts(found[one, "Invocations"], found[one, "Errors"]) for one in versions}


def _metric(function: str, version: str, name: str) -> dict[str, Any]:
    dimensions = {
        "FunctionName": function,
        "Resource": f"{function}:{LIVE}",
        "ExecutedVersion": version,
    }
    return {
        "Metric": {
            "Namespace": "AWS/Lambda",
            "MetricName": name,
            "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions.items()],
        },
        "Period": _MINUTE_S,
        "Stat": "Sum",
    }
