#!/usr/bin/env bash
# Measures everything on an idle machine and writes benches/RESULTS.md: the full suite, and the main
# network beside PyTorch and JAX where they are installed (scripts/peers/setup). Takes a quarter of an
# hour on two cores.
#
#     scripts/bench.sh [--data DIR]
#
# The records and the pages stay in target/bench.
set -euo pipefail
cd "$(dirname "$0")/.."
out=target/bench
threads=$(nproc)
cargo build --release --locked
fallline=target/release/fallline
"$fallline" calibrate
"$fallline" bench --suite full --seconds 1.5 --out "$out/full" "$@"
"$fallline" bench mnist-mlp --optimizer adam --batch 16,64,256,1024 --threads "$threads" --seconds 1.5 \
  --compare pytorch,jax --out "$out/peers" "$@"
python3 scripts/results.py "$out/full/bench.json" "$out/peers/bench.json" > "$out/RESULTS.md"
mv "$out/RESULTS.md" benches/RESULTS.md
echo "wrote benches/RESULTS.md"
