"""The only part that stays root where the rest of the server does not (SECURITY 13): it runs jobs, and little else, for one user.

``serve.py`` is that process (``python -I -m pilothouse.launcher.backends.runner PLAN``): it owns a local launcher and answers on
a unix socket. ``policy.py`` says what it refuses, whoever asks. ``client.py`` is the launcher that the control plane has
instead of the local one. Standard library only: it must stay small, and must not fall with what it serves.
"""
