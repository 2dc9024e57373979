"""How progress is shown."""
