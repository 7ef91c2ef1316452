"""The agent as a service of the host: installed, started at boot, and removed again.

install, uninstall   what the commands do, step by step, and how a failed step is undone
program              the copy of the running program below /usr/lib/endpoint-agent
configuration        the text of config.yaml
managers             what starts services here: systemd, upstart or SysV init
health               whether the agent that was started does its work
notify               what the agent itself tells systemd
"""
