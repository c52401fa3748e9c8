"""The catalog in the forms that other programs and people's readers follow.

`graphs` serves DCAT-AP, `news` Atom and RSS, `packages` Croissant and Data Packages. What a caller
may know of is decided in one place, `shown`, also for counts and for what one dataset says of
another.
"""
