"""Other catalogs, read page by page into this one: a city's into the province's.

`networks` says which addresses may be called at all, `fetching` calls them within bounds,
`dialects` reads what came (DCAT with Hydra, CKAN), `run` registers page by page and knows after a
kill where it was, `withdrawing` takes out what the source no longer has.
"""
