"""A table whose names and values could break a page, an answer in CSV, or both."""

import numpy as np
import pyarrow as pa

MARKUP = '"><script>document.title="broken"</script>'
LONG = ("a very long name " * 20).strip()
NAMES = (
    MARKUP,
    LONG,
    "__proto__",
    "constructor",
    "größe 📏 <cm>",
    "it's \"quoted\" & 'so on'",
    "{{ 7 * 7 }} {% raw %}",
    "submit",
    *(f"plain {number}" for number in range(8)),
)
LABELS = ("<i>low</i>", 'mid, "so to say"', "high & dry")
ID, FLAG, FEW, MANY = 'row, "no"', "flag?", "few", "many"


def odd_table(rows: int = 900, seed: int = 0) -> pa.Table:
    """Return a table of three classes with numbers, a boolean, and small and large categories."""
    random = np.random.default_rng(seed)
    numbers = {name: random.normal(size=rows).round(4) for name in NAMES}
    level = np.digitize(numbers[MARKUP] + numbers["__proto__"], (-0.6, 0.6))
    flags = random.random(rows) < 0.4
    return pa.table(
        {
            ID: [f'r{seed}-{row}, "{"é" * (row % 3)}"' for row in range(rows)],
            **numbers,
            FLAG: pa.array(np.where(flags, "true", "false"), mask=random.random(rows) < 0.1),
            FEW: random.choice(["<none>", "a & b", "c"], rows),
            MANY: pa.array([f"town {number}" for number in random.integers(0, 70, rows)]),
            "level": [LABELS[at] for at in level],
        }
    )


SETTINGS = """
[data]
source = "odd.csv"
target = "level"
id = 'row, "no"'
[train]
folds = 3
parameters = {num_leaves = 4, max_rounds = 40}
[gate]
bootstrap = 20
[serve]
on_missing = "refuse"
on_out_of_range = "refuse"
"""
