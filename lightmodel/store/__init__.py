"""Versions of splits and models on disk: written once, verified before use."""
