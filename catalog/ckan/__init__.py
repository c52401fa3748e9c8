"""CKAN's Action API over the catalog, for clients that know nothing of Veil.

Start here:

=====================  ================================================================
`router`               ``/api/action/…`` and ``/api/3/action/…``
`actions`              which actions there are, and who may
`envelope`             CKAN's answers and errors
`arguments`            parameters, as CKAN's clients send them
`catalogue`            datasets under CKAN's names; what a caller may know of
`solr`, `matches`      the language of ``q`` and ``fq``, and what it finds
`packages`, `groups`   datasets, departments, themes and scenarios as CKAN shows them
`rows`                 ``datastore_search`` and its like
=====================  ================================================================
"""
