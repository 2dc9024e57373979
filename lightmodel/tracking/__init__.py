"""Log runs, models and aliases to MLflow, and queue what could not be sent."""
