"""The commands of veil, one module each, imported only when called."""
