# shellcheck shell=bash
# What `demo` and `test` share: messages, and a machine that can build. To be sourced.

# Nothing asks, and nothing is coloured where nobody looks at a terminal.
export DEBIAN_FRONTEND=noninteractive
if [ ! -t 1 ] || [ ! -t 2 ]; then
  export CARGO_TERM_COLOR=never NO_COLOR=1
fi

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() { printf '%s: error: %s\n' "${0##*/}" "$*" >&2; exit "${STATUS:-1}"; }

as_root() {
  if [ "$EUID" -eq 0 ]; then
    "$@"
  elif type -P sudo >/dev/null; then
    sudo env DEBIAN_FRONTEND=noninteractive "$@"
  else
    STATUS=2 die "this needs root, or sudo: $*"
  fi
}

# Installs what a build and its tests need, where it is missing. libgit2 and ring bring
# their C code along: a compiler is enough, there is no library to install.
install_build_tools() {
  local packages=()
  if ! type -P cc >/dev/null || [ ! -e /usr/include/stdlib.h ]; then
    packages+=(gcc libc6-dev)
  fi
  type -P git >/dev/null || packages+=(git ca-certificates)
  type -P ssh >/dev/null || packages+=(openssh-client)
  type -P curl >/dev/null || packages+=(curl ca-certificates)
  type -P python3 >/dev/null || packages+=(python3)
  [ "${#packages[@]}" -eq 0 ] || install_packages "${packages[@]}"
}

install_packages() {
  type -P apt-get >/dev/null ||
    STATUS=2 die "missing on this machine, and it has no apt-get: $*"
  say "installing: $*"
  # Another apt may be at work, on a machine that has just booted above all.
  local try
  for try in 1 2 3; do
    ! as_root apt-get -qq -o DPkg::Lock::Timeout=300 update || break
    [ "$try" -lt 3 ] || say "apt-get update failed; going on with the lists at hand"
    sleep 10
  done
  as_root apt-get -qq -y -o DPkg::Lock::Timeout=300 install --no-install-recommends "$@" \
    >/dev/null
}

# Says how Rust is installed, rather than fetching a toolchain that nobody asked for.
need_rust() {
  [ -x "$HOME/.cargo/bin/cargo" ] && PATH=$PATH:$HOME/.cargo/bin
  local wanted found home
  wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
  if ! type -P cargo >/dev/null; then
    home=$(getent passwd "${SUDO_USER:-}" | cut -d: -f6) || true
    [ -z "$home" ] || [ ! -x "$home/.cargo/bin/cargo" ] ||
      STATUS=2 die "Rust is $SUDO_USER's: run this as $SUDO_USER, it calls sudo itself"
    say "Rust is missing; this installs it:"
    rustup_line
    exit 2
  fi
  found=$(cargo --version | cut -d' ' -f2)
  if [ "$(printf '%s\n' "$wanted" "${found%%-*}" | sort -V | head -n 1)" != "$wanted" ]; then
    say "Rust $wanted is needed, \`cargo\` is $found; this installs it:"
    if type -P rustup >/dev/null; then
      echo "  rustup update stable && rustup default stable" >&2
    else
      rustup_line
    fi
    exit 2
  fi
}

rustup_line() {
  echo "  curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y" >&2
}
