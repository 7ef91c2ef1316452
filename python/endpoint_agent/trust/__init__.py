"""What is done to the agent itself becomes events, like all else on the host.

guard       what the daemon calls: begins, looks now and then, tells who ended it
run         what a run leaves for the next one: how it ended, and when it was last alive
clock       whether the host's clock was set
settings    whether the files of the configuration have changed
program     whether the program is what was installed
sender      who sent a signal
"""
