"""The prediction log: rows go to a spool on disk, and from there to a sink."""
