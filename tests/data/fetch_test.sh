#!/usr/bin/env bash
# Checks data/fetch.sh against local mirrors. Usage: fetch_test.sh REPOSITORY_ROOT
# Stubs of curl and wget come first in PATH, so that no test reaches the network.
set -euo pipefail

fetch=$1/data/fetch.sh
names=(train-images-idx3-ubyte.gz train-labels-idx1-ubyte.gz t10k-images-idx3-ubyte.gz
  t10k-labels-idx1-ubyte.gz frey_rawface.mat)
root=$(mktemp -d)
trap 'rm -rf -- "$root"' EXIT

fail() {
  echo "FAIL: $*" >&2
  [[ -f $root/log ]] && sed 's/^/  | /' "$root/log" >&2
  exit 1
}

# run MIRROR leaves the status in $status, the output in $root/log and the files in $out, whose name has
# spaces on purpose.
out="$root/o u t"
run() {
  status=0
  GPUVAE_MIRROR=$1 bash "$fetch" "$out" > "$root/log" 2>&1 || status=$?
}
expect_line() { grep -q -- "$1" "$root/log" || fail "no line matches: $1"; }
expect_no_files() { [[ -z $(find "$out" -mindepth 1) ]] || fail "files were left: $(ls -A "$out")"; }
expected_sha256() { awk -v name="$1" '$2 == name && length($1) == 64 { print $1 }' "$fetch"; }

mkdir "$root/bin"
printf '#!/bin/sh\necho "$@" >> "%s/asked"\nexit 22\n' "$root" | tee "$root/bin/curl" > "$root/bin/wget"
chmod +x "$root/bin/curl" "$root/bin/wget"
export PATH="$root/bin:$PATH"

# If no source has the files, the output has a line per file, every public mirror was asked, and no file is left.
mkdir "$root/empty"
run "file://$root/empty"
((status == 1)) || fail "missing files gave status $status"
for name in "${names[@]}"; do
  expect_line "^$name: not available: file://$root/empty: no answer or no such file"
  grep -q "https://.*/$name" "$root/asked" || fail "no public mirror was asked for $name"
done
[[ $(wc -l < "$root/log") == "${#names[@]}" ]] || fail "expected one line per file"
expect_no_files

# The checksum detects wrong content, and no file is left.
mkdir "$root/wrong"
for name in "${names[@]}"; do echo "not $name" > "$root/wrong/$name"; done
run "file://$root/wrong"
((status == 1)) || fail "wrong content gave status $status"
for name in "${names[@]}"; do
  expect_line "^$name: not available: .*SHA-256 is [0-9a-f]\{64\}, expected $(expected_sha256 "$name")"
done
expect_no_files

# From here on the "checksum" of a file is its content, so that correct files can be made without the data.
# shellcheck disable=SC2016  # the stub expands it
printf '#!/bin/sh\nread -r content\necho "$content  -"\n' > "$root/bin/sha256sum"
chmod +x "$root/bin/sha256sum"
mkdir "$root/right"
for name in "${names[@]}"; do expected_sha256 "$name" > "$root/right/$name"; done

# If one file is missing, the others still arrive, and the status reports it.
mv "$root/right/${names[1]}" "$root/aside"
run "file://$root/right"
((status == 1)) || fail "one missing file gave status $status"
expect_line "^${names[1]}: not available"
[[ ! -e $out/${names[1]} ]] || fail "the missing file appeared"
for i in 0 2 3 4; do cmp -s "$root/right/${names[i]}" "$out/${names[i]}" || fail "${names[i]} did not arrive"; done

# Correct files are kept; the damaged file on disk and the missing one are downloaded.
mv "$root/aside" "$root/right/${names[1]}"
echo damaged > "$out/${names[2]}"
run "file://$root/right/"
((status == 0)) || fail "a full mirror gave status $status"
expect_line "^${names[0]}: already there"
expect_line "^${names[1]}: downloaded"
expect_line "^${names[2]}: downloaded"
for name in "${names[@]}"; do cmp -s "$root/right/$name" "$out/$name" || fail "$name is wrong"; done
[[ $(find "$out" -mindepth 1 | wc -l) == "${#names[@]}" ]] || fail "temporary files were left: $(ls -A "$out")"

# A damaged file that no mirror has is reported but not deleted.
echo damaged > "$out/${names[2]}"
run "file://$root/empty"
((status == 1)) || fail "a damaged file gave status $status"
expect_line "^${names[2]}: not available: the file there is not the published one"
[[ -e $out/${names[2]} ]] || fail "the existing file was deleted"

echo "fetch.sh: all checks passed"
