"""Run functions on the workers of a Dask cluster, and wait no longer than a deadline for them."""
