"""Study parameters and compare estimators, on training rows only."""
