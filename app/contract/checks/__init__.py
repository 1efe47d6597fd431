"""Checks of a server against the rules of the wire it claims to speak, whatever the wire.

    probes (a socket) --+
                        +-> recordings -> a wire's reading of them -> rules -> report
    tapes, HAR ---------+

A rule judges what was recorded and never asks a server itself, so the same rules serve both. What is special to a wire
(its rules, its probes, how it tells its revisions) is behind `wires.Wire`; nothing else here knows one.
"""
