"""The process that keeps the control plane and Envoy running: ``python -I -m pilothouse.gateway.supervisor PLAN``.

It decides nothing about requests. It holds the control plane's listening socket, so that callers wait during a restart;
it starts both programs, watches them, restarts them, and replaces one whose plan changed. Neither dies with it: a new
supervisor finds them by `process.Process` records and goes on. Standard library only, and nothing else of the gateway:
it must stay small and must not fall with what it watches.
"""
