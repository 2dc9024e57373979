"""Evidently's pages on a model in service, made by the Python of an environment of its own."""
