"""Saying how much in as few characters as do."""

_STEPS = ("bytes", "kB", "MB", "GB", "TB")


def shown_amount(done: int, total: int | None, unit: str) -> str:
    """Give "12.3 of 308.6 MB (4 %)", "7 of 10 folds (70 %)" or, without a total, "12.3 MB"."""
    if total is None:
        return _shown(done, unit)
    share = f" ({done / total:.0%})".replace("%", " %") if total else ""
    if unit != "bytes":
        return f"{done:,} of {_shown(total, unit)}{share}"
    return f"{_shown(done, unit)} of {_shown(total, unit)}{share}"


def _shown(amount: int, unit: str) -> str:
    if unit != "bytes":
        return f"{amount:,} {unit}".strip()
    size = float(amount)
    for step in _STEPS:
        if size < 1000 or step == _STEPS[-1]:
            break
        size /= 1000
    return f"{amount} bytes" if step == "bytes" else f"{size:.1f} {step}"


def shown_seconds(seconds: float) -> str:
    """Give "4.2 s" or "3 min 20 s"."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60)} s"
