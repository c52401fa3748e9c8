"""A node's calls to the exchange; it dials out and listens to nothing."""
