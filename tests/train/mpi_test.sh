#!/usr/bin/env bash
# Runs a program on two ranks of one thread each, with Open MPI or MPICH.
set -euo pipefail
mpirun --version | grep -q 'Open MPI' && options=(--allow-run-as-root --oversubscribe --bind-to none) || options=()
GPUVAE_NUM_THREADS=1 mpirun "${options[@]}" -n "${2:-2}" "$1"
