#!/bin/sh
# endpoint-agent @VERSION@ for Linux on x86-64, with all that it needs but glibc 2.17 and this shell's
# usual tools. Behind this text, padded to @HEAD@ bytes, lies what it installs: a tar.gz.
set -eu
umask 022

version='@VERSION@'
sum='@SUM@'
installed=/opt/endpoint-agent
same=/usr/lib/endpoint-agent/$version/bin/endpoint-agent
part=/usr/lib/.endpoint-agent.part

fail() {
    status=$1
    shift
    echo "endpoint-agent: $*" >&2
    exit "$status"
}

usage() {
    cat <<END
endpoint-agent $version, as one file.

  sudo $0 install --intake-key-file FILE    install it as a service of this host
  sudo $0 check                             say what this host supports, and prove it
  $0 --version

Any other command is carried out by the agent that is installed: $installed COMMAND.
END
}

# To a place of root's alone, not into /tmp, where programs often may not run, and only for as long as
# the command takes.
unpack() {
    [ "$(id -u)" -eq 0 ] || fail 3 "this needs root; call it by sudo"
    [ "$(uname -s) $(uname -m)" = 'Linux x86_64' ] || fail 3 "this file is for Linux on x86-64"
    trap 'rm -rf "$part"' EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
    rm -rf "$part"
    mkdir -m 700 "$part"
    tail -c +$((@HEAD@ + 1)) "$0" >"$part/payload" || fail 1 "cannot write to $part"
    found=$(sha256sum "$part/payload")
    [ "${found%% *}" = "$sum" ] || fail 1 "$0 is damaged; fetch it again"
    tar -xzf "$part/payload" -C "$part" || fail 1 "cannot unpack to $part"
    rm "$part/payload"
    python=$part/$version/bin/@PYTHON@
    "$python" -IBS -c '' || fail 3 "this host cannot run the agent's Python; it needs glibc 2.17"
}

run_unpacked() {
    unpack
    status=0
    "$python" -IBS -c 'import sys
sys.path.append(sys.argv.pop(1))
from endpoint_agent.cli import main
sys.exit(main())' "$part/$version/packages" "$@" || status=$?
    exit "$status"
}

command=${1-}
for word; do
    case $word in
    --) break ;;
    -install | --install) command=install ;;
    -update | --update | -uninstall | --uninstall) command=other ;;
    esac
done
case $command in
'' | -h | -help | --help) usage ;;
-version | --version) echo "endpoint-agent $version" ;;
install) run_unpacked "$@" ;;
check)
    [ ! -x "$same" ] || exec "$same" "$@"
    run_unpacked "$@"
    ;;
*)
    [ -x "$installed" ] || fail 1 "no agent is installed here; install it with: sudo $0 install"
    exec "$installed" "$@"
    ;;
esac
exit
