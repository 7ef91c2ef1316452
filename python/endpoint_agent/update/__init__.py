"""Updates: from a signed repository, on trial, and back again where a version does not work.

choice       which of the signed bundles this host takes
client       the repository, by The Update Framework
bundle       unpacks a bundle
installer    puts a version in place, on trial, and the one before back if need be
state        what is remembered, and what the daemon has yet to report
run          the command

What imports `tuf` is imported by the command alone, which is a process of its own.
"""
