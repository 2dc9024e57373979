"""Messages to people: the log, and by apprise a hundred channels."""
