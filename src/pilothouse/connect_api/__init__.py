"""The publishing protocol that existing clients speak, under ``/__api__``: pure translation between the wire and our verbs.

Nothing is decided here. ``application.py`` puts the routers together; ``errors.py`` alone knows the wire's error codes;
``shapes/`` alone knows how our nouns look on the wire.
"""
