"""The wire Hashee: messaging between people and agents."""
