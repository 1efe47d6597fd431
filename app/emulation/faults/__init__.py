"""Faults: rules that break what is emulated, on purpose and in the right place.

kinds    what can be broken, and what each way of breaking takes
rules    a rule: a kind, when it strikes, how often
live     the rules in force: throws the dice and counts
edits    what frame faults do to a text
"""
