"""What works with what, as the suite has seen it: docs/compatibility.md.

A test that carries ``@pytest.mark.matrix(client, dialect, feature)`` fills one cell for each route that it ran on, the
``Route`` among its parameters. When all of these have run, the page is compared with what came out; --update-matrix writes
it. A run of some of them leaves it alone.
"""

from dataclasses import dataclass
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "compatibility.md"


@dataclass(frozen=True)
class Route:
    """A model and the way on which the gateway reaches it."""

    codec: str
    model: str
    thinks: bool = True

    def __str__(self):
        return self.model


HEAD = """# Compatibility

What real clients do through Outcrop, feature by feature, on each way to a model. The page is written by the compat suite (`make compat ARGS=--update-matrix`), which runs every cell against the simulator and fails when the page is not what it has seen.

✓ passes · ✗ fails · – is not tested on that way
"""


class Matrix:
    def __init__(self):
        self.cells: dict[tuple[str, str, str, str], bool] = {}
        self.whole = False

    def add(self, item, passed: bool):
        mark = item.get_closest_marker("matrix")
        if mark is None:
            return
        params = getattr(item, "callspec", None)
        routes = [v for v in params.params.values() if isinstance(v, Route)] if params else []
        codec = routes[0].codec if routes else mark.kwargs.get("codec", "any")
        features = mark.kwargs["feature"]
        for feature in [features] if isinstance(features, str) else features:
            key = (mark.kwargs["client"], mark.kwargs["dialect"], feature, codec)
            self.cells[key] = self.cells.get(key, True) and passed

    def page(self) -> str:
        out = [HEAD]
        for client, dialect in sorted({key[:2] for key in self.cells}):
            mine = {key[2:]: ok for key, ok in self.cells.items() if key[:2] == (client, dialect)}
            features, codecs = sorted({f for f, _ in mine}), sorted({c for _, c in mine})
            out.append(f"## {client}: {dialect}\n")
            out.append("| | " + " | ".join(codecs) + " |")
            out.append("|---|" + "---|" * len(codecs))
            for feature in features:
                cells = [{True: "✓", False: "✗", None: "–"}[mine.get((feature, codec))] for codec in codecs]
                out.append(f"| {feature} | " + " | ".join(cells) + " |")
            out.append("")
        return "\n".join(out)


def pytest_addoption(parser):
    parser.addoption("--update-matrix", action="store_true", help="write docs/compatibility.md")


def pytest_configure(config):
    config.addinivalue_line("markers", "matrix(client, dialect, feature): a cell of docs/compatibility.md")
    config.stash[KEY] = Matrix()


KEY = pytest.StashKey[Matrix]()


def pytest_collection_finish(session):
    """Only a run of every file that fills cells, without a choice among its tests, has seen all there is."""
    options = session.config.option
    files = {item.path for item in session.items}
    everything = {path for path in Path(__file__).parent.glob("test_*.py") if "mark.matrix(" in path.read_text()}
    session.config.stash[KEY].whole = not (options.keyword or options.markexpr) and everything <= files and not any("::" in a for a in session.config.args)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.skipped and item.get_closest_marker("matrix"):
        item.config.stash[KEY].whole = False  # something is missing here that was there when the page was written
    if report.when == "call" or report.failed:
        item.config.stash[KEY].add(item, report.passed)
    return report


def pytest_sessionfinish(session, exitstatus):
    matrix = session.config.stash[KEY]
    if not matrix.whole or session.testsfailed:
        return
    page = matrix.page()
    if session.config.option.update_matrix:
        PAGE.write_text(page)
    elif not PAGE.exists() or PAGE.read_text() != page:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        print("\ndocs/compatibility.md is not what this run has seen: make compat ARGS=--update-matrix, and look at the difference")
