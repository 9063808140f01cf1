# Helpers for the tests of the programs: a temporary folder, failure reports, and numbers from files. Use it
# with `source`; the program is the script's first argument.
set -u
program=$(realpath "$1")
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
unset GPUVAE_DATA_DIR
failures=0
fail() { echo "FAILED (line ${BASH_LINENO[*]: -2:1}): $*"; failures=$((failures + 1)); }
finish() {
  [ $failures -eq 0 ] && echo "all checks passed"
  exit $((failures > 0))
}

# override ARGUMENTS... sets the array `arguments`, in which a later flag replaces an earlier one of the same
# name. The programs refuse a flag that is given twice.
override() {
  local word name skips=0; arguments=()
  while [ $# -gt 0 ]; do
    word=$1 name=${1%%=*}; shift
    if [[ $word == --* ]]; then
      skips=0
      [[ " $* " == *" $name"[\ =]* ]] && skips=1
    fi
    [ $skips -eq 1 ] || arguments+=("$word")
  done
}

# run ARGUMENTS... runs the program successfully, with output in stdout.txt and log.txt. said and says check
# for a matching line of the log and of the output.
run() { override "$@"; "$program" "${arguments[@]}" >stdout.txt 2>log.txt || fail "'$*' failed: $(cat log.txt)"; }
said() { grep -qE -- "$1" log.txt || fail "not said: '$1': $(cat log.txt)"; }
not_said() { grep -qE -- "$1" log.txt && fail "said: '$1': $(cat log.txt)"; }
says() { grep -qE -- "$1" stdout.txt || fail "no line '$1': $(cat stdout.txt)"; }

# expect_error STATUS PATTERN ARGUMENTS... expects that exit status and one matching line on stderr.
expect_error() {
  local status=$1 pattern=$2 got; shift 2
  override "$@"
  "$program" "${arguments[@]}" >stdout.txt 2>stderr.txt
  got=$?
  [ $got -eq "$status" ] || fail "'$*' exited with $got, expected $status: $(cat stderr.txt)"
  grep -E "^$(basename "$program"): " stderr.txt | grep -qE -- "$pattern" || fail "'$*' did not say '$pattern': $(cat stderr.txt)"
  [ "$(grep -c "^$(basename "$program"): " stderr.txt)" -eq 1 ] || fail "'$*' did not fail in one line: $(cat stderr.txt)"
  [ "$(tail -1 stderr.txt | grep -c "^$(basename "$program"): ")" -eq 1 ] || fail "'$*' said more behind its error: $(cat stderr.txt)"
}

# Prints every file of a folder with its checksum and inode, which reveals a rewritten file.
state() { find "$1" -type f -exec cksum {} + -exec stat -c '%n %i' {} + | sort; }
# expect_untouched FOLDER STATUS PATTERN ARGUMENTS... expects an error that changes nothing in the folder.
expect_untouched() {
  local folder=$1 before; shift
  before=$(state "$folder")
  expect_error "$@"
  [ "$before" = "$(state "$folder")" ] || fail "'$*' changed $folder"
}
no_partial_files() { find "$1" -name '*.tmp-*' | grep -q . && fail "temporary files left in $1"; }
same() { cmp -s "$1" "$2" || fail "$1 and $2 differ"; }
differ() { cmp -s "$1" "$2" && fail "$1 and $2 are the same"; }
# A picture must have the first bytes of its format and must not be tiny.
pictures() {
  for picture in "$@"; do
    [ "$(wc -c <"$picture")" -gt 500 ] || { fail "$picture is missing or tiny"; continue; }
    case $picture in
      *.png) [ "$(od -A n -t x1 -N 4 "$picture")" = " 89 50 4e 47" ] || fail "$picture is not a PNG" ;;
      *.svg) head -c 200 "$picture" | grep -q '<svg' && tail -c 20 "$picture" | grep -q '</svg>' || fail "$picture is not an SVG" ;;
      *.html) head -c 50 "$picture" | grep -qi '<!doctype html' && tail -c 20 "$picture" | grep -q '</html>' || fail "$picture is not a page" ;;
    esac
  done
}
# A digest of the tensors of a safetensors file, without its header.
weights() { tail -c +$((9 + $(od -A n -t u8 -N 8 "$1"))) "$1" | cksum; }
same_weights() { [ "$(weights "$1")" = "$(weights "$2")" ] || fail "the weights of $1 and $2 differ"; }
differ_in_weights() { [ "$(weights "$1")" != "$(weights "$2")" ] || fail "the weights of $1 and $2 are the same"; }
losses() { grep -v '^#' "$1/metrics.csv" | cut -d, -f1-7; }

# holds CONDITION NAME=VALUE... evaluates an awk condition over numbers. A missing number fails.
holds() {
  local condition=$1 arguments=(); shift
  for pair in "$@"; do
    [[ ${pair#*=} =~ ^-?[0-9.]+(e[-+]?[0-9]+)?$ ]] || { fail "'$condition': $pair is no number"; return; }
    arguments+=(-v "$pair")
  done
  awk "${arguments[@]}" "BEGIN { exit !($condition) }" || fail "not so: $condition, with $*"
}
# json prints the number of a key, and json_list the numbers of a list, from a JSON file with one key or
# number per line.
json() { sed -n "s/^ *\"$2\": \\(.*[^,]\\),\\{0,1\\}\$/\\1/p" "$1" | head -1; }
json_list() { awk -v key="\"$2\":" '$1 == key { on = 1; next } on && /\]/ { exit } on { gsub(/[ ,]/, ""); print }' "$1"; }
# Prints the floats of a two-dimensional NPY file, one row per line.
npy() {
  local header size=4; header=$(od -A n -t u2 -j 8 -N 2 "$1")
  head -c 64 "$1" | grep -qa "<f8" && size=8
  od -A n -v -t f$size -w$((size * $2)) -j $((10 + header)) "$1" | awk '{ $1 = $1 } 1'
}
# csv prints the rows of a CSV without its header, in the format of npy. close FILE FILE TOLERANCE expects
# equally many numbers that differ by at most the tolerance.
csv() { tail -n +2 "$1" | tr ',' ' '; }
close() {
  paste -d' ' "$1" "$2" | awk -v t="$3" -v f="$(head -1 "$1" | wc -w)" '
    NF != 2 * f { bad = 1 }
    { for (i = 1; i <= f; ++i) { d = $i - $(i + f); if (!(d * d <= t * t)) bad = 1 } }
    END { exit bad || NR == 0 }' || fail "$1 and $2 differ by more than $3"
}
