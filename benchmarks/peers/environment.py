"""The environment of the peers, which is made once: it holds other libraries than ours."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "var" / "bench" / "peers"


def peers_python() -> Path:
    """Return the Python interpreter of the peers' environment."""
    python = FOLDER / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(FOLDER)], check=True)
        wanted = str(ROOT / "requirements" / "bench.txt")
        install = [str(python), "-m", "pip", "install", "--quiet", "--require-hashes", "-r", wanted]
        subprocess.run(install, check=True)
    return python
