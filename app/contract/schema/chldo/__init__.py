"""The chldo wire, described: its frame classes and its request rules as shapes."""
