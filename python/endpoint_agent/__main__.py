"""`python -m endpoint_agent`: the same as the command `endpoint-agent`."""

import sys

from endpoint_agent.cli import main

sys.exit(main())
