"""What is dear to make, made once a session: the built-in model, the sample taxonomy and its label index."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

import skillsim
from skillsim.artifacts import write
from skillsim.encoder import TorchEncoder, load_encoder
from skillsim.esco import Taxonomy, find_bundle, read_taxonomy
from skillsim.model_files import ModelFiles, resolve_model
from skillsim.retrieval import LabelIndex
from tests.fakes import RememberingEncoder


@pytest.fixture(scope="session")
def sample_path() -> Path:
    return Path(skillsim.__file__).parent / "data" / "sample" / "taxonomy"


@pytest.fixture(scope="session")
def builtin() -> ModelFiles:
    return resolve_model("builtin")


@pytest.fixture(scope="session")
def encoder(builtin: ModelFiles) -> Iterator[TorchEncoder]:
    """On one thread: on a busy machine a second one mostly waits, at several times the cost."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield load_encoder(builtin, device="cpu")
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def remembering(encoder: TorchEncoder) -> RememberingEncoder:
    return RememberingEncoder(encoder)


@pytest.fixture(scope="session")
def taxonomy(sample_path: Path) -> Taxonomy:
    return read_taxonomy(find_bundle(sample_path))


@pytest.fixture(scope="session")
def label_vectors(taxonomy: Taxonomy, remembering: RememberingEncoder) -> np.ndarray:
    return remembering.encode(taxonomy.labels["text"].to_pylist()).vectors


@pytest.fixture(scope="session")
def index(taxonomy: Taxonomy, label_vectors: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> LabelIndex:
    folder = tmp_path_factory.mktemp("index") / "sample"
    tables = (taxonomy.concepts, taxonomy.labels, taxonomy.relations, taxonomy.occupations)
    write(folder, LabelIndex.build(*tables, label_vectors).save)
    return LabelIndex.load(folder)
