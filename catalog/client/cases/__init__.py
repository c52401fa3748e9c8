"""``veil demand|request|asset|authorise|product``: the workflows as commands, clients of REST.

`commands` makes the commands of a workflow from its table, `options` says what they take,
`deciding` signs with an officer's own key, `evidence` verifies what a server shows, `show` prints
it. Each command of ``veil`` is a module of its own here: `demand`, `request`, `asset`,
`authorise`, `product`.
"""
