"""Ways from a public address to a Jenkins that has none."""
