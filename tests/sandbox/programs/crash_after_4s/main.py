import time

print("working", flush=True)
time.sleep(4)
print(1 / 0)
