"""What all layers agree on: the wire contract, faults, signatures, language, terminal output."""
