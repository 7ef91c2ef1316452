"""The self-test in Windows' Python, with mocks of both ends of the log: `check_agent.py FILE …`.

What it would write to the log goes into FILE, from which the mock of Windows' library takes it.
"""

import os
import sys
from pathlib import Path

from endpoint_agent import cli, selftest_windows

os.environ["MOCK_APPLICATION"] = sys.argv[1]


def mock_write(word: str) -> None:
    Path(sys.argv[1]).write_text(word)


selftest_windows.write_record = mock_write
sys.exit(cli.main(["check", *sys.argv[2:]]))
