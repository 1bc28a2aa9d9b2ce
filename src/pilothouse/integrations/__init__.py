"""Integrations: ways for content to act at another service as its visitor, or as a service account of its own.

Here live what an administrator sets up (an **integration**, made from a template), which content may use which, and the tokens
that people's consent or the service gave us (a **delegation**). Who may hand what to which content is decided in ``content``,
which knows its readers and its jobs. Start at ``contract.py`` (templates), then ``service``.
"""
