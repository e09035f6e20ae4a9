"""The crew: which agent stands behind a role in this step, on which stream.

With scope `run` a role keeps one stream for the whole project; with `phase` every phase opens a fresh one. `auto`
takes `run` for models that keep their memory (local) and `phase` for those that are paid again for every word of the
past at every call (endpoints).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from chatdev.chain.agent import Agent
from chatdev.chain.recollection import Recollection
from chatdev.chain.snapshots import Snapshots, stream_name
from chatdev.company import CompanyBundle
from chatdev.company.templates import rendered
from chatdev.llm.base import HeadTooLong, Model
from chatdev.run.journal import Journal


def model_name(bundle: CompanyBundle, role: str) -> str:
    """The model of a role as it is written: the company's word for the role, the role's own, the company's."""
    use = bundle.company.roles.get(role)
    return (use.model if use else None) or bundle.roles[role].model or bundle.company.model


class Crew:
    """Opens agents, and keeps those that live as long as the run."""

    def __init__(
        self,
        bundle: CompanyBundle,
        task: str,
        seed: int,
        journal: Journal,
        open_model: Callable[[str], Model],
        before: Callable[[], None],
        meanwhile: Callable[[str, str, str], str],
        snapshots: Snapshots,
        notice: Callable[[str], None],
    ) -> None:
        """`open_model` opens a model by its full name; the same name gives the same model. `before` and `meanwhile`
        are the agents'."""
        self._snapshots, self._notice = snapshots, notice
        self._bundle, self._task, self._seed = bundle, task, seed
        self._journal, self._open_model, self._before, self._meanwhile = journal, open_model, before, meanwhile
        self._models: dict[str, Model] = {}
        self._staying: dict[str, Agent] = {}

    def check(self) -> None:
        """Raise LimitReached when nothing more may be paid for."""
        self._before()

    def model_of(self, role: str) -> Model:
        """The opened model of a role."""
        name = model_name(self._bundle, role)
        if name not in self._models:
            self._models[name] = self._open_model(name)
        return self._models[name]

    def keeps(self, role: str) -> bool:
        """True when the role keeps one stream for the whole run."""
        scope = self._bundle.company.stream.scope
        return scope == "run" or (scope == "auto" and not self.model_of(role).resends)

    def holds_task(self, role: str) -> bool:
        """Whether the model of a role can begin a stream for each role that it plays, with the task at the head."""
        name = model_name(self._bundle, role)
        try:
            for one in self._bundle.used_roles():
                if model_name(self._bundle, one) == name:
                    self.model_of(one).open(self.head_of(self._bundle, one, self._task))
        except HeadTooLong:
            return False
        return True

    def agent(self, role: str, step: str) -> Agent:
        """The agent of a role in a step."""
        if not self.keeps(role):
            return self._new(role, step)
        if role not in self._staying:
            self._staying[role] = self._new(role, "run")
        return self._staying[role]

    @staticmethod
    def head_of(bundle: CompanyBundle, role: str, task: str) -> str:
        """The pinned head of a role's streams: who it is, the company's background and the task."""
        found = bundle.roles[role]
        values = {"task": task, "background": bundle.company.background, "role": found}
        return rendered(found.prompt, values, where=str(bundle.sources.get(f"role:{role}", role))).strip() + "\n"

    def _new(self, role: str, where: str) -> Agent:
        model = self.model_of(role)
        # Every stream has a seed of its own, so that two agents never walk in step on the same random numbers.
        digest = hashlib.sha256(f"{self._seed}/{role}/{where}".encode()).digest()
        seed = int.from_bytes(digest[:4], "big")
        head = self.head_of(self._bundle, role, self._task)
        memory = Recollection(
            lambda: model.open(head, seed=seed),
            f"{model.name}\n{seed}\n{head}",
            stream_name(role, where),
            self._snapshots,
            self._notice,
        )
        return Agent(role, model.name, memory, self._journal, self._before, self._meanwhile)

    def learn(self, task: str) -> list[Agent]:
        """The task has become longer: new streams begin with it. Returns the agents that are at work already and have
        to be told."""
        self._task = task
        return list(self._staying.values())

    def close(self) -> None:
        for model in self._models.values():
            model.close()
