#!/usr/bin/env bash
# Runs the CUDA tests and benches on the card of this machine, with programs that were built with CUDA=native, here
# or elsewhere (`make gpu-build`: build/gpu, and build/gpu.tar.gz to be carried). Needs no compiler and no package: the
# libraries lie beside the programs.
#
#   bash cuda/verify.sh BIN_DIR OUT_DIR [SECONDS]             tests, benches, PyTorch beside them where it is; 240 s
#   bash cuda/verify.sh --sanitize BIN_DIR OUT_DIR [SECONDS]  tests under compute-sanitizer's four tools; 400 s
#
# Of the environment: GPU_TESTS, a doctest pattern (default *cuda*), and GPU_BENCHES, words in the order in which their cases
# run. OUT_DIR gets RESULTS.md and what it is made of, piece by piece, so that a run which is cut off leaves what it
# has. Status: 0 passed, 1 failed, 77 "skipped: no device": nothing here falls back to the host.
set -u

sanitize=no
if [ "${1:-}" = --sanitize ]; then sanitize=yes; shift; fi
bin=${1:?usage: bash cuda/verify.sh [--sanitize] BIN_DIR OUT_DIR [SECONDS]}
out=${2:?usage: bash cuda/verify.sh [--sanitize] BIN_DIR OUT_DIR [SECONDS]}
total=${3:-$([ $sanitize = yes ] && echo 400 || echo 240)}
tests=${GPU_TESTS:-*cuda*}
benches=${GPU_BENCHES:-matmul/,conv/,lenet300/,resnet20/,elementwise/,reduce/,norm/,adam/,softmax/,pool/,dropout/,linalg/,order/,sparse/}
export LD_LIBRARY_PATH=$bin/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}:/usr/local/cuda/lib64
# The bench with cuBLAS and cuDNN as contestants, where they are.
bench=$bin/bench
[ -x "$bin/bench-libraries" ] && ! ldd "$bin/bench-libraries" | grep -q 'not found' && bench=$bin/bench-libraries
root=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$out"

left() { local seconds=$((total - SECONDS)); echo $((seconds > 1 ? seconds : 1)); }
# limited SECONDS COMMAND...: 124 if it had to be ended.
limited() { local seconds=$1; shift; timeout -k 5 "$seconds" "$@"; }

if ! ls /dev/nvidia[0-9]* >/dev/null 2>&1 && ! nvidia-smi -L >/dev/null 2>&1; then
  echo "skipped: no device"
  exit 77
fi
if ! limited 60 "$bench" --device cuda --probe >"$out/machine.txt" 2>&1; then
  cat "$out/machine.txt"
  echo "FAILED: a device is here, but the bench program cannot use it"
  exit 1
fi
card=$(head -1 "$out/machine.txt")
driver=$(nvidia-smi --query-gpu=driver_version --format=csv,noheader 2>/dev/null | head -1)
head="$(date -u +%Y-%m-%d), driver ${driver:-unknown}. ${card%%:*}."
echo "$head"

# ---- tests -----------------------------------------------------------------------------------------------------------
test_verdict="not run"

# All in one process: a context on the card takes a second. Only what failed there is worth more.
run_tests() {
  local status
  limited "$1" "$bin/tests" -d -tc="$tests" >"$out/tests.log" 2>&1
  status=$?
  # What ran on an emulation, skipped the card or matched no test has passed nothing.
  if [ $status = 0 ] && { ! grep -qa 'CUDA=native' "$out/tests.log" || grep -qa 'skipped: no device' "$out/tests.log" ||
    ! grep -qa 'test cases: *[1-9]' "$out/tests.log"; }; then
    status=1
    test_verdict="FAILED: nothing ran on the card"
  elif [ $status = 0 ]; then
    test_verdict="passed: $(grep -a 'test cases:' "$out/tests.log" | tail -1 | sed 's/\[doctest\] *//')"
  elif [ $status = 124 ]; then
    test_verdict="cut off after $1 s"
  else
    test_verdict="FAILED with status $status: $(grep -a 'test cases:' "$out/tests.log" | tail -1 | sed 's/\[doctest\] *//')"
  fi
  echo "tests $test_verdict"
  return $status
}

# A kernel that faults takes its process down with it, so each op's catalogue row runs in one of its own, four at a time.
run_ops_apart() {
  [ -f "$root/core/ops/list.inc" ] || return
  export bin out
  sed -n 's/^TENON_OP(\([a-z0-9_]*\), [a-z]*, [a-z]*, both,.*/\1/p' "$root/core/ops/list.inc" |
    limited "$1" xargs -P 4 -I {} sh -c 'if timeout 30 "$bin/tests" -tc="catalogue: CPU and CUDA agree" -sc="{}" \
      >"$out/op-{}.log" 2>&1; then rm "$out/op-{}.log"; echo "{}: passed"; else echo "{}: FAILED (op-{}.log)"; fi' \
      >"$out/ops.txt"
  grep FAILED "$out/ops.txt"
}

# ---- the page --------------------------------------------------------------------------------------------------------
write_results() {
  {
    echo "# What ran on a card"
    echo
    echo "Written by \`make gpu-verify\` (cuda/verify.sh). $head"
    echo
    echo "Tests of the device: $test_verdict."
    [ -f "$out/ops.txt" ] && grep FAILED "$out/ops.txt" | sed 's/^/- /'
    # Without the libraries a bench says so of each case; that is no result.
    [ -f "$out/bench.md" ] && { printf '\n## Benches\n\n'; grep -v '| did not run |' "$out/bench.md"; }
    [ -f "$out/bench.md" ] && grep -v '| did not run |' "$out/bench.md" | grep -q '| cudnn' && printf '\n%s\n' \
      'cudnn: our own calls of it, deterministic algorithms only; PyTorch, below, chooses among all of them.'
    [ -f "$out/peers.md" ] && { printf '\n## Beside PyTorch\n\n'; cat "$out/peers.md"; }
  } >"$out/RESULTS.md"
}

# ---- compute-sanitizer -----------------------------------------------------------------------------------------------
if [ $sanitize = yes ]; then
  tool=$(command -v compute-sanitizer || ls /usr/local/cuda/bin/compute-sanitizer "$bin/compute-sanitizer/compute-sanitizer" 2>/dev/null | head -1)
  [ -n "$tool" ] || { echo "skipped: no compute-sanitizer"; exit 77; }
  # Every tensor its own allocation, of its exact size, or an overrun would land in a neighbour unseen.
  export TENON_MEMORY_CACHE=off
  for check in memcheck racecheck synccheck initcheck; do
    limited $((total / 4)) "$tool" --tool $check --error-exitcode 9 --log-file "$out/$check.log" \
      "$bin/tests" -d -tc="$tests" >"$out/$check-tests.log" 2>&1
    status=$?
    case $status in
      0) echo "$check: passed" ;;
      124 | 137) echo "$check: cut off after $((total / 4)) s; errors so far: $(grep -c '^=* *\(Invalid\|Error\|Race\|Barrier\|Uninitialized\)' "$out/$check.log")" ;;
      *) echo "$check: FAILED with status $status ($out/$check.log)"; ;;
    esac
  done | tee "$out/sanitize.txt"
  ! grep -q FAILED "$out/sanitize.txt"
  exit
fi

# ---- all -------------------------------------------------------------------------------------------------------------
trap write_results EXIT
failed=0
run_tests $((total / 2)) || { failed=1; run_ops_apart $((total / 4)); }
write_results

beside=no
python3 -c 'import torch, sys; sys.exit(not torch.cuda.is_available())' 2>/dev/null && beside=yes
bench_seconds=$(left)
[ $beside = yes ] && bench_seconds=$((bench_seconds / 2))
limited $((bench_seconds + 5)) "$bench" --device cuda --filter "$benches" --seconds $((bench_seconds - 2)) \
  --json "$out/bench.json" --markdown "$out/bench.md" 2>&1 | tee "$out/bench.txt"
[ "${PIPESTATUS[0]}" = 0 ] || { echo "FAILED: bench"; failed=1; }
write_results

if [ $beside = yes ] && [ -f "$root/bench/peers.py" ]; then
  limited "$(left)" python3 "$root/bench/peers.py" --bench "$bench" --device cuda --seconds "$(left)" \
    --filter "$benches" --json "$out/peers.json" --markdown "$out/peers.md" 2>&1 | tee "$out/peers.txt"
else
  echo "PyTorch: not here"
fi
exit $failed
