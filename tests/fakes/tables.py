"""Tables with known content, made by a seed."""

import numpy as np
import pyarrow as pa


def shop_table(rows: int = 600, seed: int = 0) -> pa.Table:
    """Return visits to a shop: an id, numbers with gaps, a category, and whether a visitor bought."""
    random = np.random.default_rng(seed)
    age = random.integers(18, 80, rows)
    spent = random.gamma(2.0, 30.0, rows).round(2)
    where = random.choice(["street", "web", "phone"], rows)
    pull = 0.08 * (age - 45) + 0.02 * spent + 2 * (where == "web") - 1.5
    bought = random.random(rows) < 1 / (1 + np.exp(-pull))
    return pa.table(
        {
            "visit_id": [f"v{seed}-{row:05d}" for row in range(rows)],
            "age": age,
            "spent": pa.array(spent, mask=random.random(rows) < 0.05),
            "where": where,
            "bought": np.where(bought, "yes", "no"),
        }
    )
