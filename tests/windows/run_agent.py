"""Runs the agent in Windows' Python as a service would: `run_agent.py CONFIG`.

It ends when a file `stop` is beside the configuration, and prints `ready` when it captures.
"""

import sys
import threading
import time
from pathlib import Path

from endpoint_agent import agent, config

path = Path(sys.argv[1])
stop = threading.Event()


def watch() -> None:
    while not path.with_name("stop").exists():
        time.sleep(0.1)
    stop.set()


threading.Thread(target=watch, daemon=True).start()
settings = config.load(path)
sys.exit(agent.run(settings, path, stop=stop, ready=lambda: print("ready", flush=True)))
