"""Companies as YAML: read, checked and typed. This room knows no model, no sandbox and no run."""

from chatdev.company.bundle import CompanyBundle
from chatdev.company.export import json_schemas
from chatdev.company.lint import lint
from chatdev.company.loader import load_company
from chatdev.company.schema import Company, Phase, Role
from chatdev.company.shelf import known_companies

__all__ = [
    "Company",
    "CompanyBundle",
    "Phase",
    "Role",
    "json_schemas",
    "known_companies",
    "lint",
    "load_company",
]
