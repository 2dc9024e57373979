"""Look up known vulnerabilities of locked requirements: `python deploy/audit.py FILE…`, or `make audit`.

pip-audit asks PyPI, or the OSV service of --osv-url. It ends with 1 for a vulnerability and for a service
that does not answer alike, and takes a service without advisories for good news. The exit codes here:

0   there is no known vulnerability
1   there is one
75  there is no advisory data to be had, or not for all packages: nothing is known
78  pip-audit is not installed, or a file cannot be read
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

FOUND, NO_DATA, NOT_POSSIBLE = 1, 75, 78
# A version that every advisory service knows about (CVE-2014-1402). The hash is not looked at.
_KNOWN_BAD = f"jinja2==2.4.1 --hash=sha256:{'0' * 64}\n"


def main(arguments: Sequence[str]) -> int:
    """Print the vulnerabilities of the files, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--osv-url", default="", help="ask this OSV service instead of PyPI")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    options = parser.parse_args(arguments)
    program = shutil.which("pip-audit")
    if program is None:
        return _end(NOT_POSSIBLE, "pip-audit is not installed: `make audit` installs it")
    missing = [str(file) for file in options.files if not file.is_file()]
    if missing:
        return _end(NOT_POSSIBLE, f"there is no file {', '.join(missing)}")
    service = ["-s", "osv", "--osv-url", options.osv_url] if options.osv_url else ["-s", "pypi"]
    command = [program, *service, "-f", "json", "--progress-spinner", "off", "--disable-pip"]
    with tempfile.TemporaryDirectory() as folder:
        known_bad = Path(folder) / "known-bad.txt"
        known_bad.write_text(_KNOWN_BAD, encoding="ascii")
        # Without a cache: an answer of last week says nothing about today.
        command += ["--cache-dir", folder]
        found, reason = _packages(command, [known_bad])
        if not any(one.get("vulns") for one in found):
            known = (
                reason or "it does not know jinja2 2.4.1 for vulnerable, so it has no advisories"
            )
            return _end(NO_DATA, f"NOT AUDITED: there is no advisory data: {known}")
        found, reason = _packages(command, options.files)
    return _report(found, reason)


def _packages(command: list[str], files: Sequence[Path]) -> tuple[list[dict[str, Any]], str]:
    """Return what pip-audit says of each package; if it fails, nothing, and the last line of its error."""
    words = [word for file in files for word in ("-r", str(file))]
    done = subprocess.run(  # noqa: S603 — pip-audit, with files of this project
        [*command, *words], capture_output=True, text=True, check=False
    )
    try:
        return list(json.loads(done.stdout)["dependencies"]), ""
    except (ValueError, KeyError):
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        return [], lines[-1] if lines else f"pip-audit ended with {done.returncode}"


def _report(packages: list[dict[str, Any]], reason: str) -> int:
    for package in packages:
        for one in package.get("vulns", ()):
            fixed = ", ".join(one["fix_versions"]) or "no version yet"
            line = f"{package['name']} {package['version']}: {one['id']}; fixed in {fixed}"
            sys.stdout.write(f"{line}\n")
    skipped = [f"{one['name']}: {one['skip_reason']}" for one in packages if "skip_reason" in one]
    count = sum(len(package.get("vulns", ())) for package in packages)
    if count:
        return _end(FOUND, f"known vulnerabilities: {count}, in {len(packages)} packages asked for")
    if skipped or not packages:
        what = "; ".join(skipped) or reason or "there are no packages"
        return _end(NO_DATA, f"NOT AUDITED: there is no advisory data: {what}")
    return _end(0, f"no known vulnerability in {len(packages)} packages")


def _end(code: int, message: str) -> int:
    (sys.stdout if code == 0 else sys.stderr).write(f"{message}\n")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
