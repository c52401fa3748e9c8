"""Search over the registry, in Chinese and English.

====================  ================================================================
`terms`               text as words and two-character pieces (pure)
`index`               the text index: written with the record, in its transaction
`columns`             what facets and orders need, in memory, brought up to date by revision
`query`               what is asked for, and where the next page begins
`find`                the answer: one page, how many there are, how many by facet
`saved`               searches under a name; `department_names` departments as people name them
====================  ================================================================
"""
