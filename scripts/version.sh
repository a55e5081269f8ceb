#!/usr/bin/env bash
# Prints the version that a build is stamped with: the tag, or the commit, "-dirty" behind it when files differ; "dev"
# outside of a Git checkout.
set -euo pipefail
cd "$(dirname "$0")/.."
git describe --tags --always --dirty 2>/dev/null || echo dev
