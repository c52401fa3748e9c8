"""What runs in each department: crypto, protocols, engines, guard, ledger, daemon."""
