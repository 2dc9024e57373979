#!/usr/bin/env bash
# DVC 3.67.1: a stage has a folder as output, with cache: false, and git tracks a README in it. dvc repro empties the folder
# before the command runs, so the tracked file is gone from the work tree and the run ends with 0. Without cache: false
# DVC refuses the same folder ("already tracked by SCM"). Keep tracked files out of output folders, or name the
# single files that the command writes as outputs; git checkout brings the lost one back.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check dvc==3.67.1
export PATH="$folder/venv/bin:$PATH" DVC_NO_ANALYTICS=true
mkdir -p "$folder/project/reports"
cd "$folder/project"
git init --quiet
git config user.name "A person"
git config user.email person@example.org
dvc init --quiet
echo "What these reports mean." > reports/README.md
cat > dvc.yaml <<'Y'
stages:
  report:
    cmd: mkdir -p reports && echo 0.9 > reports/auc.txt
    outs:
      - reports:
          cache: false
Y
git add --all
git commit --quiet --message "A stage and its README"
dvc repro --quiet
echo "with cache: false the run ends well; files in reports: $(ls reports); git status:$(git status --short reports/README.md)"
[ "$(ls reports)" = auc.txt ] || exit 1

git checkout --quiet reports
printf '%s\n' stages: '  report:' '    cmd: mkdir -p reports && echo 0.9 > reports/auc.txt' '    outs: [reports]' > dvc.yaml
if dvc repro > ../log 2>&1; then echo "the cached folder was taken" && exit 1; fi
echo "without it: $(grep -o "output 'reports' is already tracked by SCM" ../log)"
# Seen:
#   with cache: false the run ends well; files in reports: auc.txt; git status: D reports/README.md
#   without it: output 'reports' is already tracked by SCM
