"""What the wire promises, written down from the program itself. Nothing that serves a turn imports this."""
