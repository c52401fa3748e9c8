"""The publishing gate: judges a release, signs what it found, and checks what was signed."""
