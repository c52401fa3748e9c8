"""A transparency log: append-only, and whoever rewrites it is found out.

RFC 9162 Merkle tree (`merkle`), C2SP signed notes and checkpoints (`notes`, `checkpoints`), the
log itself (`log`), witnesses (`witness`), whom a reader believes (`policy`), and the audit that
names the entry where a log was altered, cut, reordered or forked (`audit`).
"""
