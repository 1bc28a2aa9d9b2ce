#!/usr/bin/env bash
# Resolve the requirement files again. Hashes of every platform's files are kept; no index is named.
set -euo pipefail
cd "$(dirname "$0")/.."
for kind in demo test clients old-clients; do
  .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --no-emit-index-url \
    --no-emit-find-links --allow-unsafe ${1:-} -o "requirements/$kind.txt" pyproject.toml "requirements/$kind.in"
done
