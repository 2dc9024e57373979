"""Where runs are tracked and models registered: MLflow, whatever its store."""
