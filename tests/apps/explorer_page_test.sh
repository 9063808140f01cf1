#!/usr/bin/env bash
# Creates an explorer and a report from random decoders and operates them in headless Chromium, or operates
# one existing page. Arguments: the tool that creates the pages; or a page and its latents, as for
# check_page.sh.
set -u
here=$(cd "$(dirname "$0")" && pwd)
[ $# -eq 2 ] && exec bash "$here/check_page.sh" "$1" "$2"
tool=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$tool" pages "$work" || exit 1
failures=0
for page in "$work"/*.html; do
  bash "$here/check_page.sh" "$page" "${page%.html}.json"
  status=$?
  [ $status -eq 77 ] && exit 77
  [ $status -eq 0 ] || failures=$((failures + 1))
done

# Tests the check itself: a decoder that is wrong in one pixel must not pass, and neither must a page whose
# script fails.
sed 's/"images": \[\[[^,]*/"images": [[1.01/' "$work/plane.json" >"$work/off.json"
bash "$here/check_page.sh" "$work/plane.html" "$work/off.json" >/dev/null && { echo "FAILED: another image passed"; failures=$((failures + 1)); }
sed 's/^window.gpuvae = {/console.error("broken");\n&/' "$work/plane.html" >"$work/broken.html"
bash "$here/check_page.sh" "$work/broken.html" "$work/plane.json" >/dev/null && { echo "FAILED: an error passed"; failures=$((failures + 1)); }

[ $failures -eq 0 ] && echo "all checks passed"
exit $((failures > 0))
