"""light-model: from a table to an approved, served prediction model."""

__version__ = "0.1.0"
