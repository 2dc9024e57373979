"""Ways to retrain: a process of this machine, or a Jenkins job."""
