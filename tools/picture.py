"""Makes docs/live.svg again, as root: `.venv/bin/python tools/picture.py > docs/live.svg`.

Runs `endpoint-agent live` in a terminal of its own while something happens on this host, and
draws what the terminal shows. Needs tmux and curl.
"""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.text import Text

WIDTH, HEIGHT = 120, 32
START, BUSY, END = 6, 55, 6
"""Seconds."""
FOLDER = Path("/srv/shop")

# What happens over and over: some of it every administrator knows, some would be worth a look.
ACTS = r"""
cd "$1" && mkdir -p site && echo '<h1>Hello</h1>' > site/index.html
chmod -R a+rX . && umask 022
setpriv --reuid=www-data --regid=www-data --clear-groups \
    python3 -m http.server --bind 127.0.0.1 --directory site 8000 2> access.log &
server=$!
trap 'kill $server' EXIT
sleep 1
round=0
while [ "$SECONDS" -lt "$2" ]; do
    round=$((round + 1))
    tar --create --gzip --file "backup-$((round % 3)).tar.gz" site
    grep --quiet root /etc/passwd
    sed --in-place "s/Hello.*</Hello $round</" site/index.html
    for page in $(seq $((1 + round % 3))); do
        curl --silent --output "page-$page.html" "http://127.0.0.1:8000/?page=$page"
    done
    mv page-1.html latest.html
    cp /usr/bin/id /dev/shm/.update
    setpriv --reuid=nobody --regid=nogroup --clear-groups /dev/shm/.update > /dev/null
    rm --force /dev/shm/.update page-*.html
    sleep "0.$((2 + round * 3 % 8))"
done
"""


def main() -> None:
    """Prints the picture."""
    FOLDER.mkdir(mode=0o755)
    try:
        tmux("new-session", "-d", "-x", str(WIDTH), "-y", str(HEIGHT), view())
        time.sleep(START)
        act()
        shown = tmux("capture-pane", "-p", "-e")
        tmux("send-keys", "C-c")
        time.sleep(END)
    finally:
        tmux("kill-server", check=False)
        shutil.rmtree(FOLDER)
    sys.stdout.write(drawn(shown))


def act() -> None:
    """Lets something happen for a while."""
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    command = ["bash", "-c", ACTS, "acts", str(FOLDER), str(BUSY)]
    subprocess.run(command, env=environment, check=True)


def view() -> str:
    """The command, beside the Python that runs this."""
    return str(Path(sys.executable).with_name("endpoint-agent")) + " live"


def tmux(*words: str, check: bool = True) -> str:
    """What a command of a tmux server prints that nobody else uses."""
    command = ["tmux", "-L", "endpoint-agent-picture", "-f", "/dev/null", "-u", *words]
    return subprocess.run(command, check=check, capture_output=True, text=True).stdout


def drawn(shown: str) -> str:
    """A terminal's text with its colours as SVG."""
    console = Console(width=WIDTH, record=True, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi(shown.rstrip("\n")), no_wrap=True, overflow="crop")
    svg = console.export_svg(title="make run")
    # Whoever looks at it need not ask another host for a font, and some would drop spaces.
    svg = re.sub(r"\s*@font-face \{.*?\}", "", svg, flags=re.DOTALL)
    return svg.replace("<svg ", '<svg xml:space="preserve" ', 1)


if __name__ == "__main__":
    main()
