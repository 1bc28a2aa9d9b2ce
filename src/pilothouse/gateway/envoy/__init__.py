"""Envoy: its binary, and the one static configuration that is made for it and never pushed to.

`config` is pure: an `EnvoyPlan` in, Envoy's JSON out. The chain of one listener: early header drop → Lua ``gate`` → the
authorization door (``ext_authz``) → Lua ``door`` → headers by route → files → router. Routes match on what the door said,
not on paths. Standard library only.
"""

from pilothouse.gateway.envoy.config import config as config
from pilothouse.gateway.envoy.plan import EnvoyPlan as EnvoyPlan
from pilothouse.gateway.envoy.plan import GrantPlan as GrantPlan
from pilothouse.gateway.envoy.plan import Listener as Listener
from pilothouse.gateway.envoy.plan import Origin as Origin
from pilothouse.gateway.envoy.plan import Site as Site
from pilothouse.gateway.envoy.plan import dashboard as dashboard
