"""The domain model, without I/O and without a framework: contract, tasks and results."""
