"""A whole exchange with generated data on one machine, shown step by step and checked.

``acts`` plays the acts, ``stage`` is where they play, ``questions`` what is asked, ``province``
knows the truth (only a demo can: it made the data), ``proof`` compares what came back with it,
``telling`` says it all.
"""
