"""Studies of parameters, and comparisons of estimators, on training rows only."""
