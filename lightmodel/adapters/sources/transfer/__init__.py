"""What all sources share: a file arrives complete and checked, or not at all."""
