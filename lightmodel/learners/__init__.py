"""Learners: the code that fits models."""
