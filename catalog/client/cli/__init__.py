"""``veil login`` and ``veil logout``: the key with which other commands speak to a server."""
