"""Who runs which test, where `make test` shares them out between processes."""

from typing import Any

from xdist.scheduler import LoadScopeScheduling

SHARING = (
    "tests/acceptance/test_api.py",
    "tests/acceptance/test_pipeline.py",
    "tests/acceptance/test_recompute.py",
    "tests/acceptance/test_tenancy.py",
)
"""Files that share the whole stack of make up, which takes long to come up."""

STACKLESS = ("tests/unit/", "tests/processes/")
"""Where tests need no stack."""


class ByFile(LoadScopeScheduling):
    """Files of tests on a stack stay in one process, whose stack and pipeline they share.

    Tests that need none go one by one to whoever is free: no process is left with a long file.
    """

    def _split_scope(self, nodeid: str) -> str:
        file, _, _ = nodeid.partition("::")
        if file in SHARING:
            return SHARING[0]
        return nodeid if file.startswith(STACKLESS) else file

    def remove_node(self, node: Any) -> str | None:
        """Give what a process that has died still had to do to the others, and tell its last test.

        That one is not run again. xdist itself gives whole files back, their finished tests too,
        and then waits for ever for processes to which it has given nothing else.
        """
        given = self.assigned_work.pop(node)
        left = [
            (scope, test)
            for scope, tests in given.items()
            for test, done in tests.items()
            if not done
        ]
        if not left:
            return None
        (_, died_in), *others = left
        for scope in reversed(given):
            # In their order: some leave their file's pipeline as those before would not have it.
            rest = {test: False for its, test in others if its == scope}
            if rest:
                self.workqueue[scope] = rest | self.workqueue.get(scope, {})
                self.workqueue.move_to_end(scope, last=False)
        for other in self.assigned_work:
            self._reschedule(other)
        return died_in

    def _reschedule(self, node: Any) -> None:
        """Give a process enough: it runs a test only once it has the one that follows."""
        if node not in self.registered_collections:
            return  # it replaces another, and has not said yet which tests there are
        super()._reschedule(node)
        while (
            self.workqueue
            and not node.shutting_down
            and self._pending_of(self.assigned_work[node]) < 2
        ):
            super()._reschedule(node)
