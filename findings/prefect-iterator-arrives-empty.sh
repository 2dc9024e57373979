#!/usr/bin/env bash
# Prefect 3.8.8: an iterator or generator handed to a task is empty when the task gets it, and the run ends as Completed. The
# key for the task's cache is a hash of its arguments written as JSON, and that writing uses the items up. With
# cache_policy=NO_CACHE all of them arrive. So hand lists or paths to tasks, and count what came in.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check prefect==3.8.8 'fastapi==0.139.2'
cat > "$folder/counting.py" <<'P'
from prefect import flow, task
from prefect.cache_policies import NO_CACHE


def number_of(rows) -> int:
    return sum(1 for _ in rows)


usual = task(number_of)
without_key = task(number_of, cache_policy=NO_CACHE)


@flow
def counting() -> dict[str, int]:
    return {
        "list": usual([1, 2, 3]),
        "iterator": usual(iter([1, 2, 3])),
        "generator": usual(row for row in [1, 2, 3]),
        "generator, NO_CACHE": without_key(row for row in [1, 2, 3]),
    }


if __name__ == "__main__":
    for handed, number in (numbers := counting()).items():
        print(f"RESULT {handed} of three: the task counted {number}")
    assert list(numbers.values()) == [3, 0, 0, 3]
P
export PREFECT_HOME="$folder/home" PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS=120
"$folder/venv/bin/python" "$folder/counting.py" > "$folder/log" 2>&1 || { cat "$folder/log" && exit 1; }
sed -n 's/^RESULT //p' "$folder/log"
# Seen:
#   list of three: the task counted 3
#   iterator of three: the task counted 0
#   generator of three: the task counted 0
#   generator, NO_CACHE of three: the task counted 3
