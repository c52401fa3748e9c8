"""Records in and out: the national form (CSV, Excel), DCAT (JSON-LD, Turtle), CKAN (JSON).

====================  ================================================================
`form`, `form_reading`  the national catalog form: its columns, records as its lines and back
`form_files`          the form in CSV and Excel files
`dcat`, `dcat_reading`  records as DCAT, and back
`ckan`                records as CKAN packages, and back
`problems`            what is wrong with a file, where, and what to do
`importing`           a file into the registry: all or nothing, in one transaction
`exporting`           the registry into a file, which is there whole or not at all
====================  ================================================================
"""
