"""Receipts and certificates: how anybody checks what was done, without asking who did it."""
