import sys

for number in range(3000):
    print(f"line {number:06d} of a long and talkative program")
sys.stdout.flush()
raise RuntimeError("the end of the line")
