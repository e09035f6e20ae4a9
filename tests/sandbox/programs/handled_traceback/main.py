import traceback

try:
    open("settings.ini").read()
except FileNotFoundError:
    traceback.print_exc()
    print("no settings, going on with defaults")
