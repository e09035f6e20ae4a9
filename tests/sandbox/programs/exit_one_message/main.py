import sys

print("ERROR: no configuration found", file=sys.stderr)
sys.exit(1)
