"""What data exists, who may use it for what, and the proof of it."""
