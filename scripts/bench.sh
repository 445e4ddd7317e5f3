#!/usr/bin/env bash
# Measures everything on an idle machine and writes benches/RESULTS.md: the full suite, and the main
# network and two of images beside PyTorch and JAX where they are installed (scripts/peers/setup). Takes
# twenty minutes on two cores.
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
images() {
  "$fallline" bench "$@" --threads "$threads" --seconds 6 --compare pytorch
}
images mnist-lenet5 --batch 128 --out "$out/lenet5" "$@"
images mnist-fast99 --batch 256 --out "$out/fast99" "$@"
python3 scripts/results.py "$out"/{full,peers,lenet5,fast99}/bench.json > "$out/RESULTS.md"
mv "$out/RESULTS.md" benches/RESULTS.md
echo "wrote benches/RESULTS.md"
