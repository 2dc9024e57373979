"""Save a LightGBM model's text as MLflow and joblib keep it: `python save.py model.txt folder`."""

import sys
from pathlib import Path

import joblib
import lightgbm as lgb
import mlflow.lightgbm
import numpy as np
import pandas as pd
from mlflow.models import infer_signature

text, folder, names = Path(sys.argv[1]).read_text(), Path(sys.argv[2]), sys.argv[3].split(",")
booster = lgb.Booster(model_str=text)
rows = pd.DataFrame(np.zeros((2, len(names))), columns=names)
signature = infer_signature(rows, booster.predict(rows.to_numpy()))
mlflow.lightgbm.save_model(booster, str(folder / "mlflow"), signature=signature)
joblib.dump({"model": booster, "names": names}, folder / "recipe.joblib")
