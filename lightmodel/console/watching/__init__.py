"""What the service measures, over time: looks at its metrics, kept in memory."""
