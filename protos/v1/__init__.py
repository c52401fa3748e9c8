"""Version 1 of the wire contract: veil.proto and its committed stubs."""
