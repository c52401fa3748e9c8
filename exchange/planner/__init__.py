"""Plans queries: SQL text → Statement → Bound → Plan, all pure, on the analyst's side.

catalog.sql_gate.parse     text to an allowed syntax tree
bind                       names, domains, measures, post_sql
draft                      roster, protocol, ring, privacy
explain                    the same in plain words
"""
