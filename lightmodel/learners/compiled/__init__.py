"""Compiled scoring and reading: C sources, and the way to and from them."""
