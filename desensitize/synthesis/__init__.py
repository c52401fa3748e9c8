"""Synthetic rows from differentially private marginals: no row is a person's.

    declared domains → counts by GROUP BY → noise (opendp) → a tree of columns → rows

The method is MST (McKenna, Miklau and Sheldon 2021, "Winning the NIST Contest", section 4): every
column's marginal with noise, a tree of column pairs that is chosen privately, the marginals of its
edges with noise, the graphical model that fits all of them best, and rows drawn from that. Only
`counts` sees the data, and only what `mechanism` has put noise on leaves it.
"""
