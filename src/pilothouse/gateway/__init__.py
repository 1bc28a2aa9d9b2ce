"""The front door: Envoy's configuration, the authorization door behind it, and the supervisor that keeps both running.

Native code moves the bytes, Python decides: ``envoy.py`` writes one static configuration, ``door.py`` answers its "who,
may they, where?", ``headers.py`` is what the two say to each other, ``usage.py`` reads the access log. Products tell their
URLs through ``contract.RouteOwner``. ``supervisor/`` is standard library only and imports nothing else of this room.
Nothing is imported here, so that it stays small.
"""
