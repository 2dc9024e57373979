"""What programs read about the service, made from the model that answers."""
