"""What people see in a terminal: one file for each kind of report."""
