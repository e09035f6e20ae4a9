"""The part that runs inside a box, as the parent of whatever is tried there.

Standard library only, no import of the rest of chatdev: the engine sends these modules as text over the box's
standard input (`wire.py`), so nothing needs to be mounted or installed. The product runs as the same user as this
code, so it is not trusted: frames carry a secret of the run, this process cannot be traced, and everything here is
bounded.
"""
