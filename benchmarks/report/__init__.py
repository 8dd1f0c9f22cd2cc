"""One page of a decision: which network to deploy on this machine, and why."""
