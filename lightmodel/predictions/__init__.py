"""The prediction log: rows go to a file on disk, and from there to a database."""
