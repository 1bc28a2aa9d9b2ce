"""Ground that every room stands on: errors, seams, access, clock, ids. Standard library only.

Exactly these five files live here; a sixth needs a name of its own and a decision record.
"""
