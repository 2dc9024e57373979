"""What the project is about, without I/O and without a framework: contract, tasks, results."""
