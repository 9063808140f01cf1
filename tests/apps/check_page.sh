#!/usr/bin/env bash
# Opens a page with an explorer in headless Chromium, at the widths of a screen and of a phone, and operates
# it. Arguments: the page, and a JSON file {"latents": [[...]], "images": [[...]]} of ten pairs or more, with
# the images that the library decodes. Exit status 77: there is no Chromium ($CHROMIUM names one).
set -u
page=$1 latents=$2
here=$(cd "$(dirname "$0")" && pwd)
for chromium in "${CHROMIUM:-}" chromium-headless-shell chromium google-chrome none; do
  command -v "$chromium" >/dev/null && break
done
[ "$chromium" != none ] || { echo "SKIPPED: Chromium is not installed"; exit 77; }
[ -s "$page" ] && [ -s "$latents" ] || { echo "FAILED: no $page or no $latents"; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The page gets an error handler before its own scripts and the check after them.
cat >"$work/watch.html" <<'WATCH'
<script>
const seen = [];
addEventListener("error", (event) => seen.push(event.message));
addEventListener("unhandledrejection", (event) => seen.push(String(event.reason)));
// Chromium draws few frames in virtual time; timers keep to it.
window.requestAnimationFrame = (frame) => setTimeout(() => frame(performance.now()), 16);
for (const kind of ["error", "warn"]) console[kind] = (...what) => seen.push(what.join(" "));
</script>
WATCH
{
  sed "/^<head>\$/r $work/watch.html" "$page"
  echo "<script>const expected ="; cat "$latents"; echo ";"; cat "$here/check_page.js"; echo "</script>"
} >"$work/page.html"
grep -q '^const seen' "$work/page.html" || { echo "FAILED: $page has no <head> line"; exit 1; }

failures=0
for size in 1280,900 360,740; do
  timeout 120 "$chromium" --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --window-size=$size \
    --user-data-dir="$work/profile" --virtual-time-budget=60000 --enable-logging=stderr --dump-dom \
    "file://$work/page.html" >"$work/dom.html" 2>"$work/log.txt"
  result=$(sed -n 's/.*<pre id="page-check">\(.*\)<\/pre>.*/\1/p' "$work/dom.html")
  echo "$(basename "$page") at $size: ${result:-no result}"
  case $result in '{"ok":true,'*) ;; *) failures=$((failures + 1)) ;; esac
  if grep ':CONSOLE' "$work/log.txt"; then failures=$((failures + 1)); fi
done
exit $((failures > 0))
