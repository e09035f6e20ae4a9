"""The prompts that the apprentice was trained on, as digests: who changes one learns that it must be trained again."""

from __future__ import annotations

import hashlib
import json

from chatdev.company import CompanyBundle

RETRAIN = "python -m chatdev.apprentice.train --out runs/full --shape full --install"
"""What trains it again (docs/apprentice.md says how long that takes)."""


def prompt_digests(bundle: CompanyBundle | None = None) -> dict[str, str]:
    """A digest of every text that the default company says to a model: roles, phases, the house's own words."""
    from chatdev.apprentice.rehearsal import default_company
    from chatdev.company.safe_yaml import plain, read_file
    from chatdev.data import library_root

    bundle = bundle or default_company()
    found = {"background": bundle.company.background, "gui": str(bundle.company.gui)}
    found |= {f"role {name}": role.prompt for name, role in bundle.roles.items()}
    found |= {
        f"phase {name}": json.dumps([phase.prompt, phase.reads, phase.conclusion, phase.done_when])
        for name, phase in bundle.phases.items()
    }
    words = plain(read_file(library_root() / "words" / "default.yaml"))
    found |= {f"words {name}": str(text) for name, text in words.items()}
    return {name: hashlib.sha256(text.encode()).hexdigest()[:16] for name, text in sorted(found.items())}


def changed(trained: dict[str, str], now: dict[str, str]) -> list[str]:
    """Names of the texts that are not what they were."""
    return sorted(name for name in {*trained, *now} if trained.get(name) != now.get(name))
