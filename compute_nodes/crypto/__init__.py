"""Building blocks: rings, masks, secret sharing, key agreement."""
