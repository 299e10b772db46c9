#!/bin/sh
# `make install` into a temporary prefix, then, from outside the tree: all installed headers compile, and an example
# program builds by pkg-config alone and runs. ARCH, CUDA and SAN in the environment name the build that is installed.
set -eu
make=${MAKE:-make}
compiler=${CXX:-g++}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

$make -s install PREFIX="$work/prefix"
cp tests/house/install_example/main.cpp "$work/"
cd "$work"
export PKG_CONFIG_PATH="$work/prefix/lib/pkgconfig"
flags=$(pkg-config --cflags tenon)
libraries=$(pkg-config --libs --static tenon)

find prefix/include/tenon -name '*.h' | sed 's|prefix/include/tenon/\(.*\)|#include "\1"|' | sort > headers.cpp
# shellcheck disable=SC2086  # the flags are words
$compiler $flags -Wall -Wextra -Werror -fsyntax-only headers.cpp
echo "installed headers: $(wc -l < headers.cpp) compile without the tree"
# shellcheck disable=SC2086
$compiler $flags -Wall -Wextra -Werror main.cpp $libraries -o example
./example
echo "installed library: an example outside the tree builds and runs"
