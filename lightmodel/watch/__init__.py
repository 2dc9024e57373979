"""Watching a model in service: drift of what it is asked and answers."""
