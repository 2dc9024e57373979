"""The chain, tuning and drift as flows of Prefect, in whose own environment most of this room runs."""
