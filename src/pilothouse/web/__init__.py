"""Home, the administration console, error pages, and the pages the gateway's door shows in place of an app.

Rooms have their own ``pages``; here is what belongs to none of them. ``states.py`` is what the door sends, ``refusals.py``
what `app.py` answers with when a page's door raises.
"""
