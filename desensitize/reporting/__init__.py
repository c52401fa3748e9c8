"""The report on a release for those who sign for it: one page that needs nothing else, and JSON."""
