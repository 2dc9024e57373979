"""Scoring with an approved model version."""
