#!/usr/bin/env bash
# Downloads MNIST and Frey Face and checks their SHA-256. Usage: data/fetch.sh [FOLDER]
#   FOLDER         folder for the files; default: the folder of this script
#   GPUVAE_MIRROR  a private mirror that is tried before the public ones, e.g. file:///path or https://host/path
# Correct files are kept; wrong ones are replaced. If a file is not available, the exit status is 1 and one line
# names the file.
set -euo pipefail

folder=${1:-$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)}

mnist_mirrors=(
  https://ossci-datasets.s3.amazonaws.com/mnist
  https://storage.googleapis.com/cvdf-datasets/mnist
)
frey_mirrors=(https://cs.nyu.edu/~roweis/data)

sha256_of() {
  local line
  if command -v sha256sum > /dev/null; then line=$(sha256sum < "$1"); else line=$(shasum -a 256 < "$1"); fi
  echo "${line%% *}"
}

# download URL FILE. wget does not support file:// addresses, so those are read here.
download() {
  if [[ $1 == file://* ]]; then
    cat -- "${1#file://}" 2> /dev/null > "$2"
  elif command -v curl > /dev/null; then
    curl --fail --silent --location --connect-timeout 10 --speed-limit 1000 --speed-time 30 --output "$2" "$1"
  elif command -v wget > /dev/null; then
    wget --quiet --timeout=30 --tries=1 --output-document="$2" "$1"
  else
    return 127
  fi
}

# fetch NAME SHA256 MIRROR... gives a file its final name only after its content has been checked.
fetch() {
  local name=$1 expected=$2 mirror reason='' got
  shift 2
  if [[ -f $folder/$name ]]; then
    if [[ $(sha256_of "$folder/$name") == "$expected" ]]; then
      echo "$name: already there"
      return 0
    fi
    reason="; the file there is not the published one (wrong SHA-256)"
  fi
  for mirror in ${GPUVAE_MIRROR:+"$GPUVAE_MIRROR"} "$@"; do
    local status=0
    download "${mirror%/}/$name" "$part" || status=$?
    if ((status == 127)); then
      echo "$name: curl or wget is needed, neither is installed" >&2
      return 1
    elif ((status != 0)); then
      reason+="; $mirror: no answer or no such file (status $status)"
    elif got=$(sha256_of "$part") && [[ $got != "$expected" ]]; then
      reason+="; $mirror: SHA-256 is $got, expected $expected"
    elif mv -f -- "$part" "$folder/$name"; then
      echo "$name: downloaded from $mirror"
      return 0
    else
      return 1
    fi
  done
  echo "$name: not available${reason/;/:}" >&2
  return 1
}

mkdir -p -- "$folder"
work=$(mktemp -d "${folder%/}/.fetch-XXXXXX")  # in the same folder, so that mv is a rename
trap 'rm -rf -- "$work"' EXIT
part=$work/part

failed=0
while read -r sha256 name; do
  mirrors=("${mnist_mirrors[@]}")
  [[ $name == frey_* ]] && mirrors=("${frey_mirrors[@]}")
  fetch "$name" "$sha256" "${mirrors[@]}" || failed=1
done << 'LIST'
440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609 train-images-idx3-ubyte.gz
3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c train-labels-idx1-ubyte.gz
8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6 t10k-images-idx3-ubyte.gz
f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6 t10k-labels-idx1-ubyte.gz
265a83a23adb081755cd3de375509828e690324d1d60f076b8ecebc840d59c64 frey_rawface.mat
LIST
exit "$failed"
