#!/bin/sh
# What the build promises, checked on a fresh clone with CUDA=off: `make` builds everything, a second `make` runs no
# compiler, and a touched header rebuilds exactly the files that include it, as the compiler's own .d files name them.
# Prints what each took. Usage, from the root of the repository: sh tests/house/build_behaviour.sh
set -eu
make=${MAKE:-make}
root=$(pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
git clone -q "$root" "$work/tree"
cd "$work/tree"

fail() { echo "check-build: $1" >&2; exit 1; }
now() { date +%s; }

start=$(now)
$make CUDA=off all > ../first.log 2>&1 || { tail -40 ../first.log; fail "make failed"; }
echo "make:               $(grep -c '^  c++ ' ../first.log) files in $(($(now) - start)) s on $(nproc) cores"

start=$(now)
$make CUDA=off all > ../second.log 2>&1 || { cat ../second.log; fail "the second make failed"; }
if grep -E '^  (c\+\+|ar|link) ' ../second.log; then fail "a second make should do nothing"; fi
echo "make again:         nothing, in $(($(now) - start)) s"

build=$(echo build/*-cuda-off)
# includers HEADER: the sources whose .d file names it
includers() {
  find "$build" -name '*.d' -exec grep -lE "(^| )$1( |:|\$)" {} + | sed "s|^$build/\(.*\)\.d\$|\1|" | sort
}
for header in core/shape.h core/json.h nn/optim.h autograd/tape.h; do
  includers "$header" > ../expected
  touch "$header"
  $make CUDA=off -n all | sed -n 's|^echo "  c++   \(.*\)"$|\1|p' | sort > ../planned
  diff ../expected ../planned > ../difference || { cat ../difference; fail "touch $header should rebuild its includers (<) and nothing else (>)"; }
  $make CUDA=off -t all > /dev/null
  printf 'touch %-13s %s files would be compiled, its includers\n' "$header" "$(wc -l < ../expected)"
done

touch papers/experiment/charts.h
$make CUDA=off all > ../third.log 2>&1 || { cat ../third.log; fail "make after a touch failed"; }
includers papers/experiment/charts.h > ../expected
sed -n 's|^  c++   ||p' ../third.log | sort > ../compiled
diff ../expected ../compiled > ../difference || { cat ../difference; fail "make compiled something else than the includers of charts.h"; }
echo "touch charts.h:     $(wc -l < ../compiled) files compiled, its includers"
