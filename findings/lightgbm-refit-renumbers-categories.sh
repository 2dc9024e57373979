#!/usr/bin/env bash
# LightGBM 4.7.0 with pandas 3.1.1: the newer data of a refit, or of training with init_model, lacks one label of a category
# column. The model then keeps the label list of the newer frame, while its older trees still hold the numbers of
# the first list: every label behind the lacking one is scored as its neighbour. Nothing is raised or warned about.
# So give every frame the same list: series.cat.set_categories(first_list), as the last check here does.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check lightgbm==4.7.0 pandas==3.1.1
"$folder/venv/bin/python" - <<'P'
import lightgbm
import numpy as np
import pandas as pd

WORTH = {"gold": 30.0, "iron": 20.0, "lead": 10.0, "zinc": 0.0}
SETTINGS = {"objective": "regression", "verbose": -1, "num_threads": 1, "learning_rate": 0.5, "cat_smooth": 0}
numbers = np.random.default_rng(3)


def table(metals: list[str]) -> tuple[pd.DataFrame, np.ndarray]:
    drawn = numbers.choice(metals, 400)
    frame = pd.DataFrame({"metal": pd.Categorical(drawn), "weight": numbers.uniform(size=400)})
    return frame, np.array([WORTH[metal] for metal in drawn])


def worth(booster: lightgbm.Booster) -> dict[str, int]:
    probe = pd.DataFrame({"metal": pd.Categorical(list(WORTH)), "weight": 0.5})
    return {metal: round(score) for metal, score in zip(WORTH, booster.predict(probe), strict=True)}


first = lightgbm.train(SETTINGS, lightgbm.Dataset(*table(list(WORTH))), 30)
print(f"first model: {worth(first)}")
assert worth(first) == WORTH
frame, target = table(["iron", "lead", "zinc"])
refitted = worth(first.refit(frame, target, decay_rate=0.99))
slow = SETTINGS | {"learning_rate": 0.01}
continued = worth(lightgbm.train(slow, lightgbm.Dataset(frame, target), 1, init_model=first))
print(f"refit:       {refitted}")
print(f"init_model:  {continued}")
for scores in (refitted, continued):
    assert scores["iron"] > 25 and scores["lead"] > 15 and scores["zinc"] > 5
whole = frame.assign(metal=frame["metal"].cat.set_categories(list(WORTH)))
print(f"same labels: {worth(first.refit(whole, target, decay_rate=0.99))}")
assert worth(first.refit(whole, target, decay_rate=0.99)) == WORTH
P
# Seen:
#   first model: {'gold': 30, 'iron': 20, 'lead': 10, 'zinc': 0}
#   refit:       {'gold': 17, 'iron': 30, 'lead': 20, 'zinc': 10}
#   init_model:  {'gold': 17, 'iron': 30, 'lead': 20, 'zinc': 10}
#   same labels: {'gold': 30, 'iron': 20, 'lead': 10, 'zinc': 0}
