"""What `live` prints and does about a second version: a challenger, or a canary."""

from typing import TYPE_CHECKING

import click

from lightmodel.cli.common import metric_text, new_table, print_table
from lightmodel.config import Config
from lightmodel.errors import QualityGateFailed

if TYPE_CHECKING:  # numpy takes a while to import
    from lightmodel.watch.canary import CanaryDecision
    from lightmodel.watch.quality import LiveQuality
    from lightmodel.watch.shadow import ShadowComparison


def print_shadows(config: Config, *, as_json: bool) -> None:
    """Print how challengers compare with the versions that answered the same rows."""
    from lightmodel.store.manifest import json_bytes
    from lightmodel.watch.shadow import compare_shadows

    found = compare_shadows(config)
    if as_json:
        click.echo(json_bytes({"shadows": [one.to_dict() for one in found]}), nl=False)
    elif not found:
        click.echo(
            f"no challenger has scored a row in the last {config.watch.window_days:g} days; "
            'serve.shadow = "challenger" lets one'
        )
    for one in () if as_json else found:
        _print_shadow(one, config.watch.min_labels)


def _print_shadow(one: "ShadowComparison", least: int) -> None:
    failed = f", of which it could not score {one.failed:,}" if one.failed else ""
    click.echo(f"{one.challenger} scored {one.rows:,} rows that {one.served} answered{failed}")
    if one.differ is not None:
        click.echo(f"decisions that differ: {one.differ:.2%} of {one.compared:,} rows")
    if one.correlation is not None:
        click.echo(f"correlation of the scores: {one.correlation:.4f}")
    if not one.differences:
        click.echo(
            "no label has arrived yet for these rows: `python -m lightmodel feedback FILE`\n"
        )
        return
    table = new_table("metric", "served", "challenger", "difference", "95 %", left={"metric"})
    for name, difference in one.differences.items():
        table.add_row(
            f"{name}{' (gate)' if name == one.metric else ''}",
            metric_text(one.served_metrics.get(name)),
            metric_text(one.challenger_metrics.get(name)),
            metric_text(difference.value),
            f"{metric_text(difference.low)} to {metric_text(difference.high)}",
        )
    print_table(table)
    meanings = {
        "better": "the challenger is better",
        "worse": "the challenger is worse",
        "unsure": "neither is surely better",
        "none": f"no verdict: watch.min_labels is {least:,}",
    }
    click.echo(f"on {one.labelled:,} labelled rows, by {one.metric}: {meanings[one.state]}\n")


def decide_on_canary(config: Config, quality: "LiveQuality") -> "CanaryDecision | None":
    """Withdraw or promote the canary by the live quality, print why, and notify; None without a canary.

    Raises:
        QualityGateFailed: it is withdrawn.
        LightModelError: the store cannot be written to.
    """
    from lightmodel.notify.notifier import open_notifier
    from lightmodel.watch.canary import settle

    notifier = open_notifier(config)
    decision = settle(config, quality, notifier.send_and_wait)
    notifier.retry()
    if decision and decision.action == "withdraw":
        raise QualityGateFailed(
            f"the canary {decision.canary} is withdrawn: {decision.reason}",
            hint=f"{decision.stable} answers all requests again; `python -m lightmodel models show "
            f"{decision.canary}` prints the withdrawn version",
        )
    if decision:
        state = "promoted:" if decision.action == "promote" else "canary"
        click.echo(f"{state} {decision.canary}: {decision.reason}", err=True)
    return decision
