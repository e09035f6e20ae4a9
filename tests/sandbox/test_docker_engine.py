"""What is particular to Docker: nothing stays behind, a dead parent's container ends, leftovers are swept."""

import os
import signal
import subprocess
import sys
import time

import pytest

from chatdev.errors import UserError
from chatdev.sandbox import SandboxConfig, open_engine
from chatdev.sandbox.docker_engine import LABEL, DockerEngine, not_enforced
from chatdev.sandbox.engine import run

pytestmark = pytest.mark.docker


def ours(engine, **labels):
    wanted = [LABEL] + [f"{k}={v}" for k, v in labels.items()]
    return engine.client.containers.list(all=True, filters={"label": wanted})


def test_no_container_stays_behind(docker, product):
    engine = open_engine(docker.config, run_id="stays-behind")
    run(engine, product({"main.py": "print('hello')"}), ["python3", "main.py"])
    run(engine, product({"main.py": "while True: pass"}), ["python3", "main.py"], seconds=1)
    assert ours(engine, **{LABEL: "stays-behind"}) == []


def test_the_walls_are_really_there(docker, product):
    from chatdev.sandbox.bundle import pack
    from chatdev.sandbox.job import Job, Step

    folder = product({"main.py": "import time; time.sleep(1)"})
    seen = {}

    def look(_):
        seen.update(ours(engine, **{LABEL: "walls"})[0].attrs)

    engine = open_engine(docker.config, run_id="walls")
    steps = (Step("one", ["true"]), Step("two", ["python3", "main.py"]))
    engine.perform(Job(pack(folder), steps), lambda r: look(r) if r.name == "one" else None)
    host = seen["HostConfig"]
    assert host["NetworkMode"] == "none"
    assert host["ReadonlyRootfs"] is True
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert host["Memory"] == host["MemorySwap"] == 512 * 1024**2
    assert host["PidsLimit"] > 0
    assert host["NanoCpus"] == 1_000_000_000
    assert host["Init"] is True
    assert host["LogConfig"]["Type"] == "none"
    assert not host["Binds"]
    assert seen["Mounts"] == []
    assert seen["Config"]["User"] == "65534:65534"


PARENT = """
import sys
from pathlib import Path
from chatdev.sandbox import SandboxConfig, open_engine
from chatdev.sandbox.engine import run
engine = open_engine(SandboxConfig(engine="docker", seconds=600), run_id="orphan-test")
print("ready", flush=True)
run(engine, Path(sys.argv[1]), ["python3", "main.py"])
"""


def test_a_killed_parent_leaves_nothing_after_the_next_start(docker, product):
    folder = product({"main.py": "import time\ntime.sleep(600)\n"})
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(folder)], stdout=subprocess.PIPE)
    assert parent.stdout.readline() == b"ready\n"
    until = time.monotonic() + 30
    while not any(c.status == "running" for c in ours(docker, **{LABEL: "orphan-test"})) and time.monotonic() < until:
        time.sleep(0.05)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    open_engine(docker.config, run_id="the-next-start")
    assert ours(docker, **{LABEL: "orphan-test"}) == []


def test_a_living_parent_is_left_alone(docker, product):
    container = docker.client.containers.create(**docker.settings(_job(product)))
    try:
        assert container.name not in open_engine(docker.config, run_id="neighbour").sweep()
        assert container.id in [c.id for c in ours(docker)]
    finally:
        container.remove(force=True)


def test_a_container_ends_itself_when_its_parent_is_killed(docker, product):
    folder = product({"main.py": "import time\ntime.sleep(600)\n"})
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT.replace("orphan-test", "ends-itself"), str(folder)], stdout=subprocess.PIPE
    )
    assert parent.stdout.readline() == b"ready\n"
    until = time.monotonic() + 30
    while not any(c.status == "running" for c in ours(docker, **{LABEL: "ends-itself"})) and time.monotonic() < until:
        time.sleep(0.05)
    time.sleep(1)
    parent.kill()
    parent.wait()
    while any(c.status == "running" for c in ours(docker, **{LABEL: "ends-itself"})) and time.monotonic() < until:
        time.sleep(0.1)
    assert not any(c.status == "running" for c in ours(docker, **{LABEL: "ends-itself"}))
    docker.sweep()


FULL = {
    "MemoryLimit": True, "SwapLimit": True, "PidsLimit": True, "CpuCfsQuota": True, "CpuCfsPeriod": True,
    "CgroupVersion": "1", "CgroupDriver": "cgroupfs", "ServerVersion": "20.10.24",
    "SecurityOptions": ["name=seccomp,profile=default"], "Runtimes": {"runc": {"path": "runc"}},
}  # fmt: skip
ROOTLESS = FULL | {
    "CgroupVersion": "2", "CgroupDriver": "systemd", "CpuCfsQuota": False, "CpuCfsPeriod": False,
    "SecurityOptions": ["name=seccomp,profile=builtin", "name=rootless", "name=cgroupns"],
}  # fmt: skip
"""Rootless with only memory and pids delegated, which is what systemd does of itself."""
BARE = ROOTLESS | {"CgroupDriver": "none", "MemoryLimit": False, "SwapLimit": False, "PidsLimit": False}
"""Rootless where no control group is delegated at all."""
NO_SWAP = FULL | {"SwapLimit": False}
UNFILTERED = FULL | {"SecurityOptions": ["name=apparmor"]}


@pytest.mark.parametrize(
    ("info", "missing", "cpu"),
    [
        (FULL, [], True),
        (NO_SWAP, ["swap is not counted"], True),
        (UNFILTERED, ["no seccomp"], True),
        (ROOTLESS, ["processor time"], False),
        (BARE, ["memory is not limited", "swap", "number of processes", "processor time"], False),
    ],
)
def test_what_the_engine_says_it_cannot_hold_is_told_and_not_asked_of_it(
    docker, product, monkeypatch, info, missing, cpu
):
    told = not_enforced(info)
    assert len(told) == len(missing)
    assert all(word in line for word, line in zip(missing, told, strict=True))
    monkeypatch.setattr(docker.client, "info", lambda: info)
    engine = DockerEngine(docker.config, "recorded", docker.client)
    assert engine.missing_limits() == told
    assert bool(engine.settings(_job(product))["nano_cpus"]) == cpu
    assert ("rootless" in engine.describe()) == (info in (ROOTLESS, BARE))
    assert run(engine, product({"main.py": "print(1)"}), ["python3", "main.py"]).ok


def test_an_image_that_is_not_there_is_told(docker):
    with pytest.raises(UserError, match=r"no-such-image:1 is not there\. Run: docker pull"):
        open_engine(SandboxConfig(engine="docker", image="no-such-image:1"), run_id="x")


def test_an_unknown_runtime_is_told(docker):
    with pytest.raises(UserError, match="has no 'runsc-x'"):
        open_engine(SandboxConfig(engine="docker", runtime="runsc-x"), run_id="x")


def test_no_daemon_is_told_in_one_line(monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
    with pytest.raises(UserError, match="no Docker engine answers") as caught:
        open_engine(SandboxConfig(engine="docker"), run_id="x")
    assert "\n" not in str(caught.value)


def _job(product):
    from chatdev.sandbox.bundle import pack
    from chatdev.sandbox.job import Job, Step

    return Job(pack(product({"main.py": ""})), (Step("one", ["true"]),))
