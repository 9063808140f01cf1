#!/usr/bin/env bash
# Runs a program with an empty folder as its argument, and removes the folder.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$1" "$folder"
