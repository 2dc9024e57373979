"""What the page Models shows: the versions of the service, their differences, and changes of a verdict."""
