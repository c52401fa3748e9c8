"""One job at one node: from the admitted plan to the last round."""
