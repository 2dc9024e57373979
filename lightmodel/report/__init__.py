"""Render results as charts and as the report: results in, bytes out."""
