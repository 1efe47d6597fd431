"""REST of the wire, one file for each part of its page."""
