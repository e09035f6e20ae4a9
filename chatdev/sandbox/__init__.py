"""Where products run and are proved: engines (Docker, bubblewrap, host) and the ladder of checks.

This room knows no model and no company. It stays light to import: the docker SDK and Pillow are imported inside the
functions that use them.

    config = SandboxConfig.parse({"engine": "auto", "memory": "512m"})
    engine = open_engine(config, run_id="a1b2")        # None: nothing here can run a product safely
    report = climb(Path("warehouse/snake"), engine, config)
    report.verdict, report.reason, report.for_model()
"""

from __future__ import annotations

from chatdev.sandbox.config import SandboxConfig
from chatdev.sandbox.engine import Engine, open_engine, probe
from chatdev.sandbox.job import Job, Output, Run, Step
from chatdev.sandbox.ladder import climb
from chatdev.sandbox.report import LadderReport, Rung

__all__ = [
    "Engine",
    "Job",
    "LadderReport",
    "Output",
    "Run",
    "Rung",
    "SandboxConfig",
    "Step",
    "climb",
    "open_engine",
    "probe",
]
