"""Runs, models and aliases at MLflow, and the queue of what could not be sent."""
