"""The rooms behind `run.py`: what it needs before any library is there, so the standard library only."""
