"""The registry: which data exists, who answers for it, and what changed.

Start here:

====================  ================================================================
`record`              one dataset's record, frozen; `vocabulary` has its code lists
`rules`               what a record must fulfil before it is registered (pure)
`registry`            the door: open a catalog; look up, register, withdraw
`writing`             how records get into the tables; `tables`, `database`, `migrations`
`datum`, `claims`     one datum, one source: identity of a data item, conflicts; `decisions`
`changes`, `quality`  what differs between two versions; how good a record is, and why
====================  ================================================================
"""
