"""The catalog from elsewhere: commands that speak to a running server go through here."""
