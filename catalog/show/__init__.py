"""What the commands of ``veil catalog`` print for people, a module a subject."""
