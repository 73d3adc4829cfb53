# shellcheck shell=bash
# Renders the three configuration files for the scripts. To be sourced.

HERE=$(dirname "${BASH_SOURCE[0]}")

# Writes them into the directory named.
render() {
  local file
  mkdir -p "$1"
  for file in odoo.conf odoo.service vhost.conf; do
    sed "s|{{ tool }}|$TOOL|g; s|{{ port }}|$PORT|g; s|{{ limit }}|$LIMIT|g;
      s|{{ odoo_bin }}|$ODOO_BIN|g" \
      "$HERE/templates/$file.j2" >"$1/$file"
  done
}

# Runs a function for each server at once and fails where it fails for one.
on_each_server() {
  local server process processes=() status=0
  for server in $SERVERS; do
    "$1" "$server" &
    processes+=("$!")
  done
  for process in "${processes[@]}"; do
    wait "$process" || status=1
  done
  return "$status"
}
