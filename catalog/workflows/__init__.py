"""What people ask of each other about data, step by step: each step signed, chained and logged.

`model` says what a workflow is: states and a table of steps, as data. One file a workflow
(`demands`, `requests`, …) is nothing but its table, `rules` holds what a table cannot say.
`cases` takes steps in the database, `events` signs and chains them, `verifying` finds what somebody
has altered, `outbox` brings each event's commitment into the transparency log, however often the
program is killed in between. `all` lists the workflows.
"""
