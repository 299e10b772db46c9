#!/bin/sh
# Fetches the published data sets into the cache, where load_dataset looks for them; `make data` runs it.
#
#   data/fetch.sh [mnist] [fashion_mnist] [cifar10] [nasbench]      (all without arguments; about 210 MB)
#
#   TENON_CACHE    the cache (default ~/.cache/tenon)
#   TENON_MIRROR   an address that is asked instead of the publishers': $TENON_MIRROR/<set>/<file>
#
# A file appears in the cache only when it is whole and its checksum is the published one: md5 of the unpacked IDX
# files, md5 of the CIFAR archive, sha256 of the tables of trained architectures (of those, the validation accuracies of
# NAS-Bench-201 after 12 epochs are published as a pickle of pandas alone, and are not fetched). What is there already is checked and not fetched again. The exit status is 0 only
# if everything that was asked for is there.
#
# This script was tested against a local HTTP server (tests/data/fetch_test.cpp); it never ran against the publishers'
# servers.
set -u

cache=${TENON_CACHE:-${HOME:?expected HOME or TENON_CACHE to be set}/.cache/tenon}

say() { printf '%s\n' "$*"; }
complain() { printf 'fetch: %s\n' "$*" >&2; }
md5_of() { md5sum "$1" | cut -d ' ' -f 1; }

# download OUT ADDRESS...: the first address that answers. Leaves nothing behind if none does.
download() {
  out=$1
  shift
  for address; do
    say "  $address"
    curl --fail --silent --show-error --location --connect-timeout 20 --speed-limit 1000 --speed-time 60 \
      --retry 2 --output "$out" "$address" && return 0
    rm -f "$out"
  done
  return 1
}

# addresses SET FILE BASE...: the address of FILE under each base, or under the mirror alone.
addresses() {
  set_name=$1 file=$2
  shift 2
  if [ -n "${TENON_MIRROR:-}" ]; then
    printf '%s\n' "$TENON_MIRROR/$set_name/$file"
  else
    for base; do printf '%s\n' "$base/$file"; done
  fi
}

# fetch_idx SET FOLDER FILE MD5 BASE...: FILE.gz, whose unpacked bytes have this md5.
fetch_idx() {
  set_name=$1 folder=$cache/$2 file=$3 md5=$4
  shift 4
  mkdir -p "$folder" || return 1
  target=$folder/$file.gz
  if [ -f "$target" ] && [ "$(gzip -dc "$target" 2>/dev/null | md5sum | cut -d ' ' -f 1)" = "$md5" ]; then
    say "$set_name: $file.gz is there"
    return 0
  fi
  say "$set_name: fetching $file.gz"
  # shellcheck disable=SC2046  # one word an address
  if ! download "$work/$file.gz" $(addresses "$set_name" "$file.gz" "$@"); then
    complain "$set_name: $file.gz could not be fetched"
    return 1
  fi
  if ! gzip -dc "$work/$file.gz" >"$work/$file"; then
    complain "$set_name: $file.gz is no whole gzip file"
    return 1
  fi
  got=$(md5_of "$work/$file")
  rm -f "$work/$file"
  if [ "$got" != "$md5" ]; then
    complain "$set_name: $file: expected md5 $md5, got $got"
    return 1
  fi
  mv "$work/$file.gz" "$target"
}

fetch_mnist() {
  bases='https://ossci-datasets.s3.amazonaws.com/mnist https://storage.googleapis.com/cvdf-datasets/mnist'
  # shellcheck disable=SC2086  # one word a base
  fetch_idx mnist mnist train-images-idx3-ubyte 6bbc9ace898e44ae57da46a324031adb $bases &&
    fetch_idx mnist mnist train-labels-idx1-ubyte a25bea736e30d166cdddb491f175f624 $bases &&
    fetch_idx mnist mnist t10k-images-idx3-ubyte 2646ac647ad5339dbf082846283269ea $bases &&
    fetch_idx mnist mnist t10k-labels-idx1-ubyte 27ae3e4e09519cfbb04c329615203637 $bases
}

fetch_fashion_mnist() {
  base=http://fashion-mnist.s3-website.eu-central-1.amazonaws.com
  fetch_idx fashion_mnist fashion-mnist train-images-idx3-ubyte f4a8712d7a061bf5bd6d2ca38dc4d50a $base &&
    fetch_idx fashion_mnist fashion-mnist train-labels-idx1-ubyte 9018921c3c673c538a1fc5bad174d6f9 $base &&
    fetch_idx fashion_mnist fashion-mnist t10k-images-idx3-ubyte 8181f5470baa50b63fa0f6fddb340f0a $base &&
    fetch_idx fashion_mnist fashion-mnist t10k-labels-idx1-ubyte 15d484375f8d13e6eb1aabb0c3f46965 $base
}

fetch_cifar10() {
  archive=cifar-10-binary.tar.gz md5=c32a1d4ab5d03f1284b67883e8d87530
  origin="the published files ($archive, md5 $md5)"
  if [ "$(cat "$cache/cifar10/ORIGIN" 2>/dev/null)" = "$origin" ]; then
    say "cifar10: is there"
    return 0
  fi
  if [ -e "$cache/cifar10" ]; then
    complain "cifar10: $cache/cifar10 holds something else; move it away first"
    return 1
  fi
  say "cifar10: fetching $archive"
  # shellcheck disable=SC2046
  if ! download "$work/$archive" $(addresses cifar10 $archive https://www.cs.toronto.edu/~kriz); then
    complain "cifar10: $archive could not be fetched"
    return 1
  fi
  got=$(md5_of "$work/$archive")
  if [ "$got" != "$md5" ]; then
    complain "cifar10: $archive: expected md5 $md5, got $got"
    return 1
  fi
  tar -xzf "$work/$archive" -C "$work" || return 1
  printf '%s\n' "$origin" >"$work/cifar-10-batches-bin/ORIGIN"
  mv "$work/cifar-10-batches-bin" "$cache/cifar10"
}

# fetch_table FILE SHA256 ADDRESS: a table of trained architectures, under our name for it.
fetch_table() {
  target=$cache/nasbench/$1
  mkdir -p "$cache/nasbench" || return 1
  if [ "$(sha256sum "$target" 2>/dev/null | cut -d ' ' -f 1)" = "$2" ]; then
    say "nasbench: $1 is there"
    return 0
  fi
  say "nasbench: fetching $1"
  address=$3
  [ -z "${TENON_MIRROR:-}" ] || address=$TENON_MIRROR/nasbench/$1
  if ! download "$work/$1" "$address"; then
    complain "nasbench: $1 could not be fetched"
    return 1
  fi
  got=$(sha256sum "$work/$1" | cut -d ' ' -f 1)
  if [ "$got" != "$2" ]; then
    complain "nasbench: $1: expected sha256 $2, got $got"
    return 1
  fi
  mv "$work/$1" "$target"
}

fetch_nasbench() {
  raw=https://raw.githubusercontent.com
  metrics=$raw/NiccoloCavagnero/FreeREA/9c2a726cd3adf526c43ae52a515a8fc5ea927fe7/cached_metrics
  macro=$raw/xiusu/NAS-Bench-Macro/61a2bfc2ca0dce04d0997e6cf498047c27d6acf2/data
  fetch_table nasbench101_accuracies.pkl.gz 84bcca117040f6f499e81743baee1ffaa3865f014bc7489fb1833dc06905f55e \
    $metrics/nasbench101/cifar10/accuracies.pkl.gz &&
    fetch_table nasbench101_params.pkl.gz 1b312e23917a312c6fc6f356e579ba1166870e6671f7cb1c093685a2558a1e6a \
      $metrics/nasbench101/cifar10/params.pkl.gz &&
    fetch_table nasbench_macro_cifar10.json 686dee8363cc21cca8c1f321ad5749454f2d9b9ca5972682e137e539bc522297 \
      $macro/nas-bench-macro_cifar10.json &&
    fetch_table nasbench201_cifar10.csv a41e06dbbd097df080ee6eb3eb8c6a92d589a0f53d51d66147155fcddbcacd2d \
      $metrics/nats/cifar10/accuracies.csv &&
    fetch_table nasbench201_cifar100.csv f6487d29eb75cfa40dd1741d7d77f36e935828613576f8ea2d838482f1e10169 \
      $metrics/nats/cifar100/accuracies.csv &&
    fetch_table nasbench201_ImageNet16-120.csv b2c6c6b30cb9dd429106cdca913bf908680a4dc1d53199e062aa1ffae1a9bf9a \
      $metrics/nats/ImageNet16-120/accuracies.csv
}

[ $# -gt 0 ] || set -- mnist fashion_mnist cifar10 nasbench
for name; do
  case $name in
    mnist | fashion_mnist | cifar10 | nasbench) ;;
    *)
      complain "expected mnist, fashion_mnist, cifar10 or nasbench, got '$name'"
      exit 2
      ;;
  esac
done
for tool in curl gzip md5sum sha256sum tar; do
  if ! command -v $tool >/dev/null; then
    complain "expected the program $tool: apt install curl gzip coreutils tar"
    exit 1
  fi
done

mkdir -p "$cache" || exit 1
# In the cache, so that the last mv is a rename; removed however this script ends.
work=$(mktemp -d "$cache/.fetch-XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP

failed=
for name; do
  if "fetch_$name"; then
    say "$name: complete"
  else
    failed="$failed $name"
  fi
done
if [ -n "$failed" ]; then
  complain "not complete:$failed"
  exit 1
fi
