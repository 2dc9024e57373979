"""The steps of the chain as pure functions on data: no path, clock, environment or store."""
