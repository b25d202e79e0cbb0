#!/bin/sh
# Makes .venv with everything the program and its tests need. Quick when nothing has changed since the last time.
#
# PYTHON names another interpreter (3.11 or newer). As root on Debian or Ubuntu, missing system packages are installed;
# elsewhere they are named, and the rest goes on, since servers without a window do not need them.
set -eu
cd "$(dirname "$0")/../.."

VENV=.venv
STAMP=$VENV/.setup-stamp
# What Qt's platform plug-ins, the virtual display of the tests and the Python side are linked to.
PACKAGES="libgl1 libegl1 libxkbcommon0 libglib2.0-0 libfreetype6 libfontconfig1 libdbus-1-3 libxkbcommon-x11-0
libxcb-cursor0 libxcb-icccm4 libxcb-keysyms1 libxcb-shape0 libxcb-xkb1 libxcb-render-util0 libxcb-image0
libxcb-randr0 libxcb-xinerama0 xvfb xauth openbox"

say() { printf 'setup: %s\n' "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }

wanted() {
    # The interpreter and the place are part of it: a moved clone or another Python needs a new environment.
    { cat pyproject.toml constraints.txt; pwd; "$1" --version; } | cksum
}

installed() {
    # Newer releases renamed some libraries to <name>t64.
    for name in "$1" "${1}t64"; do
        case "$(dpkg-query -W -f '${Status}' "$name" 2>/dev/null)" in *"ok installed") return 0 ;; esac
    done
    return 1
}

apt_install() {
    say "installing from the system's packages: $*"
    DEBIAN_FRONTEND=noninteractive
    export DEBIAN_FRONTEND
    # shellcheck disable=SC2086
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends "$@" >/dev/null; } || return 1
}

version_of() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])'; }

system_packages() {
    command -v dpkg-query >/dev/null 2>&1 || return 0
    missing=""
    for package in $PACKAGES; do installed "$package" || missing="$missing $package"; done
    # Debian keeps ensurepip in a package of its own.
    case "$1" in
        /usr/bin/* | /bin/*) "$1" -c 'import ensurepip' 2>/dev/null || missing="$missing python$(version_of "$1")-venv" ;;
    esac
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" = 0 ]; then
        # shellcheck disable=SC2086
        apt_install $missing || say "could not install:$missing. The window may not open until they are there"
    else
        say "these system packages are missing:$missing"
        say "ask an administrator to run: apt-get install$missing"
    fi
}

find_python() {
    for candidate in ${PYTHON:-} python3.11 python3.12 python3.13 python3 /usr/local/bin/python3; do
        if command -v "$candidate" >/dev/null 2>&1 &&
            "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return 0
        fi
    done
    return 1
}

make_venv() {
    rm -rf "$VENV"
    if "$1" -c 'import ensurepip, venv' 2>/dev/null && "$1" -m venv "$VENV" >/dev/null 2>&1; then return 0; fi
    rm -rf "$VENV"
    if "$1" -m pip --version >/dev/null 2>&1 && "$1" -m venv --without-pip "$VENV"; then
        "$1" -m pip --python "$VENV/bin/python" install -q pip && return 0
    fi
    rm -rf "$VENV"
    version=$(version_of "$1")
    fail "this Python cannot make an environment. Install python$version-venv (apt-get install python$version-venv)"
}

if [ -x "$VENV/bin/signalbox" ] && [ -f "$STAMP" ] && [ "$(cat "$STAMP")" = "$(wanted "$VENV/bin/python")" ]; then
    exit 0
fi

python=$(find_python) || fail "Python 3.11 or newer is needed (apt-get install python3 python3-venv, or set PYTHON)"
system_packages "$python"
if ! "$VENV/bin/python" -m pip --version >/dev/null 2>&1 ||
    ! "$VENV/bin/python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    [ "$(cd "$VENV" && pwd)" != "$("$VENV/bin/python" -c 'import sys; print(sys.prefix)')" ]; then
    say "making $VENV with $python"
    make_venv "$python"
fi
say "installing the Python packages (a few minutes the first time)"
"$VENV/bin/python" -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[dev,editor]' ||
    fail "pip could not install the packages: is the package index reachable?"
# Compiled once here: the first start is as quick as the second, also where nothing may be written beside the sources.
"$VENV/bin/python" -m compileall -q app ui || true
wanted "$VENV/bin/python" >"$STAMP"
say "ready: $VENV/bin/signalbox"
