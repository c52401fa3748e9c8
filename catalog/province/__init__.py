"""A sample province: departments of a province, 21 cities and their districts, and their data.

``build.province`` makes the records; what they are made of stands in the two TOML files, so that
who knows the work of a department can mend them without knowing Python. Nothing in it is real but
the names of places and the kinds of departments.
"""
