"""What all tests share: hypothesis without clocks (the machines are slow and shared), and no real keys in sight."""

import os

from hypothesis import HealthCheck, settings

settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")

for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_MODEL", "CHATDEV_MODEL", "CHATDEV_WAREHOUSE"):
    os.environ.pop(name, None)
