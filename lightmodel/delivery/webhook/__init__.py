"""Whoever tells that something was pushed."""
