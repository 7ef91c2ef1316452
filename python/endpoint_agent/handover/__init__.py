"""One agent takes over from another, as at an update, without a moment that nobody captures.

    the one before                          the next, its child
    starts it ───────────────────────────►  loads and attaches its capture, which tells nothing yet
                 ◄──── ready ─────────────
    picks a moment ahead ──── cut ───────►  tells what happens from then on, into its memory
                 ◄──── agreed, or late ───
    tells what happens until then, drains,
    closes the queue ──────── done ──────►  opens the queue, and goes on

Both capture around the cut, by one clock, so each act is told by one of them. Until both have
agreed, whatever fails ends the next one and leaves the one before as it was. Words go over a pair
of sockets, a packet each; one that is not known, or the end of the other, is a failure.
"""

from __future__ import annotations

from endpoint_agent.handover.predecessor import Predecessor, stand_by
from endpoint_agent.handover.successor import Change

__all__ = ["Change", "Predecessor", "stand_by"]
