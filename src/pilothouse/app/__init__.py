"""The one composition root: settings in, ASGI application out. The only place that knows all rooms.

``house.py`` makes the engines, ``front.py`` is the first thing a request meets, ``control_plane.py`` runs both under
uvicorn, ``serving.py`` writes what the supervisor runs, ``local.py`` is for commands on the server's own machine.
"""
