"""One file for each change of the tables, in order; what is released is never edited."""
