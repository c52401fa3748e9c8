"""Who calls the catalog, and what they may do.

`roles` names the offices that people hold, `permissions` says which office may do what and how far
that reaches, `principal` is one caller. Whatever serves people or programs (REST, portal, CKAN,
feeds) asks here, and nowhere else.
"""
