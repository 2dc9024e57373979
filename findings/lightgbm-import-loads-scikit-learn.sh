#!/usr/bin/env bash
# LightGBM 4.7.0: `import lightgbm` also imports scikit-learn, with it scipy.stats, and pandas wherever they are installed, even where
# only data sets and boosters are used. That is two thirds of the modules that are loaded then, and most of the time; in an environment
# without both, the same training gives the same model text. So an image that only scores or trains by boosters should not have them.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/train.py" <<'P'
import hashlib
import sys

import lightgbm as lgb
import numpy as np

features = np.random.default_rng(0).normal(size=(300, 3))
rows = lgb.Dataset(features, features.sum(axis=1))
booster = lgb.train({"num_threads": 1, "verbosity": -1, "deterministic": True}, rows, 20)
loaded = [name for name in ("sklearn", "scipy.stats", "pandas") if name in sys.modules]
print(hashlib.sha256(booster.model_to_string().encode()).hexdigest()[:12], loaded, len(sys.modules), sep="|")
P
for name in alone with; do
    python3 -m venv "$folder/$name"
    extra=()
    [ "$name" = alone ] || extra=(scikit-learn==1.9.1 pandas==3.0.6)
    "$folder/$name/bin/pip" install --quiet --disable-pip-version-check lightgbm==4.7.0 numpy==2.4.6 scipy==1.17.1 "${extra[@]}"
    "$folder/$name/bin/python" "$folder/train.py" > "$folder/$name.txt"
done
IFS='|' read -r model_alone loaded_alone modules_alone < "$folder/alone.txt"
IFS='|' read -r model_with loaded_with modules_with < "$folder/with.txt"
echo "alone: $loaded_alone $modules_alone modules; with both installed: $loaded_with $modules_with modules"
[ "$model_alone" = "$model_with" ] && echo "the same model"
[ "$loaded_alone" = "[]" ] && [ "$loaded_with" = "['sklearn', 'scipy.stats', 'pandas']" ]
[ "$modules_with" -gt $((2 * modules_alone)) ]
# Seen:
#   alone: [] 478 modules; with both installed: ['sklearn', 'scipy.stats', 'pandas'] 1486 modules
#   the same model
