#!/bin/sh
# Follows docs/adding-an-op.md in a copy of the tree: writes each block under `<!-- file: path -->` to its file (appends
# under `<!-- append: path -->`), builds at each `<!-- linker says -->` and compares what is undefined with the block, and
# runs the catalogue for the op named by `<!-- passes: op -->`.
# Usage, from the root of the repository, after a build: sh tests/house/adding_an_op.sh build/VARIANT
set -eu
make=${MAKE:-make}
chapter=docs/adding-an-op.md
build=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/tree"
# Times are kept, so that what is built already is not built again.
{ git ls-files; find "$build" build/setup-* -type f; } | tar cf - -T - | tar xf - -C "$work/tree"

# The chapter as a shell script.
awk '
  /^<!-- (file|append|passes): .* -->$/ { word = $2; sub(":", "", word); argument = $3 }
  /^<!-- linker says -->$/ { word = "linker_says"; argument = "" }
  /^```/ && inside { print "TENON_BLOCK"; inside = 0; word = ""; next }
  /^```/ && word != "" { printf "%s \"%s\" <<\"TENON_BLOCK\"\n", word, argument; inside = 1; next }
  inside { print }
' "$chapter" > "$work/steps.sh"

fail() { echo "adding-an-op: $1" >&2; exit 1; }

file() {
  [ ! -e "$1" ] || fail "the chapter creates $1, which exists already"
  mkdir -p "$(dirname "$1")"
  cat > "$1"
}

append() { cat >> "$1"; }

# Standard input: the undefined references that the linker must report, and no others.
linker_says() {
  case $build in *cuda-off*) grep -v cuda_entry ;; *) cat ;; esac | sort > ../expected
  if $make "$build/bin/tests" > ../log 2>&1; then fail "it links, but the chapter says: $(cat ../expected)"; fi
  grep -o "undefined reference to .*" ../log | sort -u > ../undefined || { tail -40 ../log; fail "it does not compile"; }
  diff ../expected ../undefined || fail "the linker names other parts (>) than the chapter (<)"
  sed 's/^/  /' ../undefined
}

passes() {
  cat > /dev/null
  $make "$build/bin/tests" > ../log 2>&1 || { tail -40 ../log; fail "it does not build"; }
  "$build/bin/tests" -tc='catalogue*' -sc="$1" > ../log 2>&1 || { tail -60 ../log; fail "$1 does not pass the catalogue"; }
  "$build/bin/tests" -tc='catalogue: one row an op*,house: *core/ops*' >> ../log 2>&1 || { tail -60 ../log; fail "$1 is not well listed"; }
  grep 'assertions:' ../log
}

cd "$work/tree"
. ../steps.sh
echo "adding-an-op: the chapter works"
