"""JSON Schemas of the three kinds of YAML files, so that an editor completes and checks while one types.

Contract: `json_schemas()` gives draft 2020-12 schemas for `role`, `phase` and `company`, with the field
docstrings as descriptions. The schemas accept what the loader accepts, short forms included; they cannot
know names in other files.
"""

from __future__ import annotations

import copy
from typing import Any

from chatdev.company.artifacts import BUILT_IN, CHECKS, CONDITIONS, FROM_CHECKS, LOCAL, PROMPT_NAMES, ROLE_NAMES
from chatdev.company.schema import Company, Phase, Role

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schemas() -> dict[str, dict[str, Any]]:
    """The schemas by kind: `role`, `phase`, `company`."""
    role, phase, company = (_schema(model) for model in (Role, Phase, Company))
    role["properties"]["prompt"]["description"] += _table("Names it knows", ROLE_NAMES)
    phase["properties"]["prompt"]["description"] += _table("Names it always knows", PROMPT_NAMES)
    readable = {**BUILT_IN, **FROM_CHECKS, **LOCAL}
    phase["properties"]["reads"]["description"] += _table("Always there, or made by the framework", readable)
    phase["properties"]["reads"]["examples"] = [sorted(readable)]
    company["properties"]["chain"]["description"] += _table("Checks", CHECKS)
    until = company["$defs"]["Loop"]["properties"]["until"]
    until["description"] += _table("Conditions", CONDITIONS)
    until["examples"] = list(CONDITIONS)
    for holder, key in ((company, "chain"), (company["$defs"]["Loop"], "do")):
        steps = holder["properties"][key]["items"]["oneOf"]
        holder["properties"][key]["items"] = {"anyOf": [{"type": "string", "examples": list(CHECKS)}, *steps]}
    # A company that extends another one may leave out what that one has.
    company["anyOf"] = [{"required": company.pop("required")}, {"required": ["extends"]}]
    return {"role": role, "phase": phase, "company": company}


def _schema(model: type[Role] | type[Phase] | type[Company]) -> dict[str, Any]:
    made = copy.deepcopy(model.model_json_schema(mode="validation"))
    return {"$schema": DIALECT, **made, "title": f"ChatDev {model.__name__.lower()}"}


def _table(head: str, words: dict[str, str]) -> str:
    lines = "\n".join(f"- `{word}`: {meaning}" for word, meaning in words.items())
    return f"\n\n{head}:\n{lines}"
