"""Who may connect: the transport CA, invites, enrolment and revocation."""
