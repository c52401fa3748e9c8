"""How the catalog is served over HTTP: the server, the app, and what stands around every answer.

`app` puts routers together, `guard` asks who calls, `problems` says what went wrong (RFC 9457),
`headers` closes the browser's doors, `server` listens. The routers stand where their subject is:
`catalog.rest` for programs, `catalog.portal` for people.
"""
