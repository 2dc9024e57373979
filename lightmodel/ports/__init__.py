"""One small Protocol for each family of adapters; its obligations stand in its docstring."""
