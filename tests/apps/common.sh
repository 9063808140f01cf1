# What the programs' tests share: a folder to work in, ways to fail, and numbers out of files. For `source`; the
# program is the script's first argument.
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

# run ARGUMENTS...: succeeds, into stdout.txt and log.txt. said, says: whether its log or output has a line like that.
run() { "$program" "$@" >stdout.txt 2>log.txt || fail "'$*' failed: $(cat log.txt)"; }
said() { grep -qE -- "$1" log.txt || fail "not said: '$1': $(cat log.txt)"; }
not_said() { grep -qE -- "$1" log.txt && fail "said: '$1': $(cat log.txt)"; }
says() { grep -qE -- "$1" stdout.txt || fail "no line '$1': $(cat stdout.txt)"; }

# expect_error STATUS PATTERN ARGUMENTS...: one line on stderr that matches, and that status.
expect_error() {
  local status=$1 pattern=$2 got; shift 2
  "$program" "$@" >stdout.txt 2>stderr.txt
  got=$?
  [ $got -eq "$status" ] || fail "'$*' exited with $got, expected $status: $(cat stderr.txt)"
  grep -E "^$(basename "$program"): " stderr.txt | grep -qE -- "$pattern" || fail "'$*' did not say '$pattern': $(cat stderr.txt)"
  [ "$(grep -c "^$(basename "$program"): " stderr.txt)" -eq 1 ] || fail "'$*' did not fail in one line: $(cat stderr.txt)"
  [ "$(tail -1 stderr.txt | grep -c "^$(basename "$program"): ")" -eq 1 ] || fail "'$*' said more behind its error: $(cat stderr.txt)"
}

# Every file of a folder with its checksum and inode: writing it again would show.
state() { find "$1" -type f -exec cksum {} + -exec stat -c '%n %i' {} + | sort; }
# expect_untouched FOLDER STATUS PATTERN ARGUMENTS...: an error that leaves the folder as it was.
expect_untouched() {
  local folder=$1 before; shift
  before=$(state "$folder")
  expect_error "$@"
  [ "$before" = "$(state "$folder")" ] || fail "'$*' changed $folder"
}
no_partial_files() { find "$1" -name '*.tmp-*' | grep -q . && fail "temporary files left in $1"; }
same() { cmp -s "$1" "$2" || fail "$1 and $2 differ"; }
differ() { cmp -s "$1" "$2" && fail "$1 and $2 are the same"; }
# A picture is one by its first bytes, and not a tiny one.
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
losses() { grep -v '^#' "$1/metrics.csv" | cut -d, -f1-7; }

# holds CONDITION NAME=VALUE...: an awk condition over numbers; a missing number fails.
holds() {
  local condition=$1 arguments=(); shift
  for pair in "$@"; do
    [[ ${pair#*=} =~ ^-?[0-9.]+(e[-+]?[0-9]+)?$ ]] || { fail "'$condition': $pair is no number"; return; }
    arguments+=(-v "$pair")
  done
  awk "${arguments[@]}" "BEGIN { exit !($condition) }" || fail "not so: $condition, with $*"
}
# The number of a key, and the numbers of a list, of a JSON file with a key or number a line.
json() { sed -n "s/^ *\"$2\": \\(.*[^,]\\),\\{0,1\\}\$/\\1/p" "$1" | head -1; }
json_list() { awk -v key="\"$2\":" '$1 == key { on = 1; next } on && /\]/ { exit } on { gsub(/[ ,]/, ""); print }' "$1"; }
# The floats of a two-dimensional NPY file, a row a line.
npy() {
  local header; header=$(od -A n -t u2 -j 8 -N 2 "$1")
  od -A n -v -t f4 -w$((4 * $2)) -j $((10 + header)) "$1" | awk '{ $1 = $1 } 1'
}
# Rows of a CSV without its header, as npy shows them. close FILE FILE TOLERANCE: as many numbers, and alike.
csv() { tail -n +2 "$1" | tr ',' ' '; }
close() {
  paste -d' ' "$1" "$2" | awk -v t="$3" -v f="$(head -1 "$1" | wc -w)" '
    NF != 2 * f { bad = 1 }
    { for (i = 1; i <= f; ++i) { d = $i - $(i + f); if (!(d * d <= t * t)) bad = 1 } }
    END { exit bad || NR == 0 }' || fail "$1 and $2 differ by more than $3"
}
