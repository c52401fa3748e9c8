"""Rows of what is public, for programs: by page, by SQL, whole.

Start here:

======================  ==============================================================
`datastore`             the door: resources found, rows read, SQL run, uses counted
`resources`             which publications there are, under which names, for whom
`snapshots`             each public table as a database of this server, made once
`tables`                a locked engine over one of them; every call has an end
`ask`, `texts`          what may be asked of rows; lines of JSON and CSV, by the engine
`sql`, `sql_tables`     one SELECT of a stranger: what passes, and where it runs
`dumps`                 whole tables as streams
======================  ==============================================================

What is asked in fields and filters becomes our own SQL and runs in this process; what strangers
write themselves is parsed, allowed, written anew and run in a child process that the operating
system limits (decision 0046).
"""
