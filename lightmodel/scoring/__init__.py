"""An approved version, opened: features in, answers out."""
