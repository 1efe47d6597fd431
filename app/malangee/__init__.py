"""The MaLangEE wire: spoken conversation over a WebSocket, and the REST endpoints that its front end calls."""
