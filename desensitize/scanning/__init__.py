"""What is personal in a table: from cells to the type, role and grade of every column."""
