"""Studies: what to try next, and what came of what was tried."""
