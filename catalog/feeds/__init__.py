"""The catalog in the forms that other programs and people's readers follow.

`graphs` serves DCAT-AP, `news` Atom and RSS, `packages` Croissant and Data Packages; `schema_org`
is what search engines read in a page's head. What a caller may know of is decided in one place,
`shown`, also for counts and for what one dataset says of another.
"""
