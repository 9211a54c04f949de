"""What became of a task is told: from a provider's report to the last delivery and to streams."""
