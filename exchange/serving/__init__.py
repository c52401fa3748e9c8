"""The exchange's side: who may call, who takes part, what waits and what runs."""
