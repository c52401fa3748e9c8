"""A whole exchange with generated data on one machine, shown step by step and checked.

``acts`` tells and asks, ``stage`` is where it plays, ``province`` knows the truth (only a demo
can: it made the data), ``proof`` compares what came back with it.
"""
