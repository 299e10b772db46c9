#!/bin/sh
# Counts the instructions that one run of each case of a table takes, under valgrind, and compares: more than 5 % above
# the table fails. Counts do not depend on what else the machine does, as times do.
#
#   guard.sh BENCH TABLE           compare
#   guard.sh BENCH TABLE write     write the table anew
#
# The program is built for AVX2 (valgrind 3.19 knows no AVX-512), and runs on one thread.
set -eu
bench=$1 table=$2 mode=${3:-compare}

# Instructions within the function that runs the case once (bench/main.cpp).
count() {
  OPENBLAS_CORETYPE=Haswell valgrind --tool=callgrind --callgrind-out-file=/dev/null \
    --toggle-collect=tenon_bench_counted "$bench" --once --threads 1 --filter "$1" 2>&1 |
    awk '/Collected/ { n = $NF } { last = $0 } END { if (n > 0) print n; else { print last > "/dev/stderr"; exit 1 } }'
}

new=$(mktemp)
trap 'rm -f "$new"' EXIT
worse=0
grep '^#' "$table" >"$new"
printf '%-44s %14s %14s %8s\n' case table now change
for name in $(awk '!/^#/ && NF { print $1 }' "$table"); do
  before=$(awk -v name="$name" '$1 == name { print $2 }' "$table")
  now=$(count "$name")
  printf '%-44s %14s\n' "$name" "$now" >>"$new"
  awk -v name="$name" -v a="${before:-0}" -v b="$now" 'BEGIN {
    change = a > 0 ? 100 * (b / a - 1) : 0
    printf "%-44s %14s %14s %+7.1f%%%s\n", name, (a > 0 ? a : "-"), b, change, (change > 5 ? "  MORE" : "")
    exit (change > 5)
  }' || worse=$((worse + 1))
done
if [ "$mode" = write ]; then
  cat "$new" >"$table"
elif [ "$worse" -gt 0 ]; then
  echo "bench-guard: $worse case(s) take over 5 % more instructions than $table says; where that is right, make bench-guard-write"
  exit 1
fi
