"""One finished tiny run, shared by the slow tests of a session."""

import pytest
from tiny_project import TinyProject, copy_project, make_corpus


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> TinyProject:
    """A tiny run to the end, undisturbed. A test that changes something here puts it back."""
    project = copy_project(tmp_path_factory.mktemp("finished"))
    make_corpus(project)
    project.run()
    return project
