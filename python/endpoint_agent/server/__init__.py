"""The embedded intake: the original's HTTP intake API over an SQLite store.

`main.serve` is the command; only what it imports needs the extra `server`.
"""
