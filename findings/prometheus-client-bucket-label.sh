#!/usr/bin/env bash
# prometheus_client 0.26.0: a bucket given as the whole number 1 is exposed as le="1.0", and one of 1000000 as le="1e+06", for
# the bounds pass through float and a writer after Go's manner. A rule or panel that asks for le="1" matches no series,
# and one without series never fires. So copy the label from what /metrics really shows into the rule.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check prometheus-client==0.26.0
"$folder/venv/bin/python" - <<'P'
from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

registry = CollectorRegistry()
Histogram("answer_bytes", "Size of an answer", buckets=(1, 250, 1000000), registry=registry).observe(120)
text = generate_latest(registry).decode()
samples = [one for family in text_string_to_metric_families(text) for one in family.samples if "le" in one.labels]
bounds = [one.labels["le"] for one in samples]
print(f"buckets=(1, 250, 1000000) is exposed as {bounds}")
assert bounds == ["1.0", "250.0", "1e+06", "+Inf"]
for asked in ("250", "250.0", "1000000", "1e+06"):
    print(f'answer_bytes_bucket{{le="{asked}"}} matches {bounds.count(asked)} series')
P
# Seen:
#   buckets=(1, 250, 1000000) is exposed as ['1.0', '250.0', '1e+06', '+Inf']
#   answer_bytes_bucket{le="250"} matches 0 series
#   answer_bytes_bucket{le="250.0"} matches 1 series
#   answer_bytes_bucket{le="1000000"} matches 0 series
#   answer_bytes_bucket{le="1e+06"} matches 1 series
