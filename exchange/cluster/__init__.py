"""A whole federation on one machine: real processes, real certificates, free ports."""
