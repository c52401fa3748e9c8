"""The catalog for programs: JSON over HTTP, described by OpenAPI at ``/api/openapi.json``.

One module a subject, each with a ``router`` that `catalog.web.app` lists.
"""
