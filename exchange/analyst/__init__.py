"""The analyst's side: asks, keeps what is out, opens what comes back, and shows it."""
