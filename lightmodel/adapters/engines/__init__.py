"""Where work is done that is too much for this process."""
