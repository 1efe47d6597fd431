"""What the wires promise: written down from the program itself (`wiredocs`, `schema`), and checked in any server
(`checks`, with a package of rules for each wire). Nothing that serves a turn imports this.
"""
