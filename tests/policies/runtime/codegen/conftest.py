"""The envelope in C, compiled once for all tests."""

from __future__ import annotations

import pytest

from cellwright_policies import zoo
from cellwright_runtime.bundle.policy import Bundle
from tests.policies.runtime.codegen.code import STRICT
from tests.policies.runtime.codegen.envelope_pair import SAFETY
from tools.envelope.plain import PlainEnvelope


@pytest.fixture(scope="session")
def pegs() -> Bundle:
    return Bundle.load(zoo.path("peg-insertion"))


@pytest.fixture(scope="session")
def plain(pegs: Bundle, tmp_path_factory: pytest.TempPathFactory) -> PlainEnvelope:
    return PlainEnvelope(
        pegs, SAFETY, tmp_path_factory.mktemp("plain"), (*STRICT, "-Wno-missing-field-initializers", "-O2")
    )
