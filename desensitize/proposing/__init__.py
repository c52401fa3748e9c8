"""Proposes a policy for a table: from what a scan found, and what trials on its rows say."""
