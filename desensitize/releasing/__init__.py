"""From a table and a policy to a release: a directory that is there whole, or not at all."""
