"""The publishing gate: which bytes of a dataset are public, and on whose word.

Start here:

===================  =================================================================
`signers`            keys that may sign for a department, enrolled and removed
`sign_offs`          officers' decisions about exactly one file, signed
`rules`, `officers`  what a release must fulfil to become public; every reason at once
`staging`, `case`    a release as it is judged: read once, without following links
`store`              where public bytes lie: a folder, or any file system of Arrow
`publish`, `unpublish`, `listing`  the way in, the way out, and what is there
`verified`           whether the store still has what was published
===================  =================================================================
"""
