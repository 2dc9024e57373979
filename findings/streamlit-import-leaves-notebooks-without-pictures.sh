#!/usr/bin/env bash
# Streamlit 1.67.0 sets MPLBACKEND=Agg in os.environ when it is imported, so every process that is started afterwards inherits it. A
# notebook that papermill 2.7.0 executes from there ends without an error, and its cells with figures have no picture: the kernel
# takes the variable for the user's choice of another backend than its inline one. Take it out of the kernel's environment.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    streamlit==1.67.0 papermill==2.7.0 ipykernel==7.4.0 matplotlib==3.11.2
cat > "$folder/draw.py" <<'P'
import os
import sys

import nbformat
import papermill

folder = sys.argv[1]
cell = nbformat.v4.new_code_cell("import matplotlib.pyplot as plt\nplt.plot([1, 3, 2])\nplt.show()")
kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
nbformat.write(nbformat.v4.new_notebook(cells=[cell], metadata=kernel), f"{folder}/one.ipynb")


def pictures() -> int:
    done = papermill.execute_notebook(
        f"{folder}/one.ipynb", f"{folder}/done.ipynb", kernel_name="python3", progress_bar=False
    )
    outputs = done.cells[-1].outputs
    assert not any(output.output_type == "error" for output in outputs)
    return sum("image/png" in output.get("data", {}) for output in outputs)


os.environ.pop("MPLBACKEND", None)
before = pictures()
import streamlit  # noqa: E402, F401

variable = os.environ.get("MPLBACKEND")
after = pictures()
del os.environ["MPLBACKEND"]
print(f"RESULT pictures before: {before}; after the import, with MPLBACKEND={variable}: {after}; without it: {pictures()}")
assert (before, variable, after, pictures()) == (1, "Agg", 0, 1)
P
"$folder/venv/bin/python" "$folder/draw.py" "$folder" > "$folder/log" 2>&1 || { cat "$folder/log" && exit 1; }
sed -n 's/^RESULT //p' "$folder/log"
# Seen:
#   pictures before: 1; after the import, with MPLBACKEND=Agg: 0; without it: 1
