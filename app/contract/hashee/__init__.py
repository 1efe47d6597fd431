"""What a server of the Hashee wire does: rules, and the probe that asks it."""
