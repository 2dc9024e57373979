"""How a table is read and written."""
