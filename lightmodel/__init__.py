"""light-model turns a table into an approved, served prediction model."""

__version__ = "0.1.0"
