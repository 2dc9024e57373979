#!/usr/bin/env bash
# Optuna 5.0.0: create_study(load_if_exists=True) takes a study up again, but not the sampler's state: with the same seed the
# first trials of the second run ask for the very points of the first run again, so the work is done twice. A direction
# given then is not heeded either, without a word: the study keeps minimizing although "maximize" was asked for.
# Make the seed depend on len(study.trials), and compare study.direction with the one that is meant.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check optuna==5.0.0
cd "$folder"
"$folder/venv/bin/python" - <<'P'
import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

optuna.logging.set_verbosity(optuna.logging.WARNING)


def run(direction: str) -> optuna.Study:
    study = optuna.create_study(
        storage=JournalStorage(JournalFileBackend("study.log")),
        study_name="leaves",
        direction=direction,
        sampler=optuna.samplers.TPESampler(seed=1),
        load_if_exists=True,
    )
    study.optimize(lambda trial: abs(trial.suggest_int("leaves", 2, 500) - 60), n_trials=5)
    return study


run("minimize")
study = run("maximize")
leaves = [trial.params["leaves"] for trial in study.trials]
print(f"first run:  {leaves[:5]}")
print(f"second run: {leaves[5:]}")
print(f"direction asked for in the second run: maximize, kept: {study.direction.name}")
assert len(leaves) == 10 and leaves[:5] == leaves[5:]
assert study.direction.name == "MINIMIZE"
P
# Seen:
#   first run:  [210, 361, 2, 152, 75]
#   second run: [210, 361, 2, 152, 75]
#   direction asked for in the second run: maximize, kept: MINIMIZE
