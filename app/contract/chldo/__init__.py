"""The rules of the chldo wire, written out from its documents.

Nothing here knows `app.chldo`, which emulates the wire: key orders, texts and forms are written down a second time, so
that a defect of the emulator does not become a rule. The one thing shared is `app.agent.sentences`, where sentences
end; its own tests hold it to the captures.
"""
