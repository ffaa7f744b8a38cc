# shellcheck shell=bash
# What the checks share: installing what is missing, steps with their seconds, a table at the end.

# need COMMAND=PACKAGE…: installs the packages whose command (or file, where it has a slash) is missing.
need() {
    local pair missing=()
    for pair in "$@"; do
        present "${pair%%=*}" || missing+=("${pair#*=}")
    done
    ((${#missing[@]})) || return 0
    local root=()
    ((EUID == 0)) || root=(sudo --non-interactive)
    if ! command -v apt-get >/dev/null; then
        echo "please install: ${missing[*]}" >&2
        return 1
    fi
    "${root[@]}" apt-get update --quiet --quiet
    DEBIAN_FRONTEND=noninteractive "${root[@]}" apt-get install --quiet --quiet --yes --no-install-recommends \
        "${missing[@]}"
}

present() {
    case $1 in
        */*) compgen -G "$1" >/dev/null ;;
        *) command -v "$1" >/dev/null ;;
    esac
}

steps=()
failures=0

# step NAME COMMAND…: runs a check, whatever came of those before it, and notes how long it took and how it ended.
step() {
    local name=$1 start=$SECONDS outcome=ok
    shift
    printf '\n== %s\n' "$name"
    # A shell of its own, because -e does not reach into a command whose exit code is looked at.
    (set -euo pipefail && "$@") &
    if ! wait $!; then
        outcome=FAILED
        failures=$((failures + 1))
    fi
    steps+=("$(printf '%5d s  %-6s  %s' $((SECONDS - start)) "$outcome" "$name")")
}

# finish NAME: prints the table and gives 1 where a step failed.
finish() {
    printf '\n== %s\n' "$1"
    printf '%s\n' "${steps[@]}"
    printf '%5d s  %-6s  %s\n' "$SECONDS" "" "together"
    ((failures == 0))
}
