"""What a server of the MaLangEE wire does: rules, and the probe that asks it."""
