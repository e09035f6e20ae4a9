"""A Docker engine for the tests that need one: missing in CI is a failure, missing at home a skip."""

import os

import pytest


@pytest.fixture(scope="session")
def docker_engine():
    from chatdev.sandbox import probe

    found = {one.thing: one for one in probe()}
    missing = [one for name, one in found.items() if name in ("docker", "sandbox image") and not one.ok]
    if missing or "sandbox image" not in found:
        why = "; ".join(f"{one.thing}: {one.text}" for one in missing)
        if os.environ.get("CI"):
            pytest.fail(f"no Docker in CI: {why}")
        pytest.skip(why)
