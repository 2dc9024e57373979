#!/bin/sh
# Exit code 0 if this build has something to do, 1 if only documentation was pushed.
#
# FORCE=true, or a REASON: always 0. A build without a new commit was started by hand or by schedule: data may be new.
set -eu
before=${GIT_PREVIOUS_SUCCESSFUL_COMMIT:-}
if [ "${FORCE:-}" = true ] || [ -n "${REASON:-}" ] || [ -z "$before" ] || ! git cat-file -e "$before^{commit}" 2>/dev/null; then
    exit 0
fi
changed=$(git diff --name-only "$before" HEAD)
if [ -z "$changed" ] || printf '%s\n' "$changed" | grep -qvE '^docs/|\.md$'; then
    exit 0
fi
echo "needed.sh: only documentation has changed since $before; nothing to do" >&2
exit 1
