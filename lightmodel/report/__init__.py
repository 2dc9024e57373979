"""Pictures and the report: results in, bytes out."""
