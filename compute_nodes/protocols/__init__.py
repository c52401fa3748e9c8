"""Protocol state machines: messages in, steps out; no socket, clock or randomness."""
