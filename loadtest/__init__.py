"""Traffic against a running service: what it takes, how fast it answers, whether it is right."""
