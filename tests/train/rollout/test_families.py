import gymnasium
import pytest

from cellwright_envs import ENVIRONMENTS
from cellwright_envs.assembly.peg_insertion import PegInsertion
from cellwright_train.errors import UsageError
from cellwright_train.rollout.families import FAMILIES, family_of


@pytest.mark.parametrize("env_id", ENVIRONMENTS)
def test_every_environment_belongs_to_a_family(env_id: str) -> None:
    env = gymnasium.make(env_id)
    assert family_of(env) is family_of(env_id)
    env.close()


class SomebodysPeg(PegInsertion):
    """A task made outside of this distribution."""


def test_a_task_derived_from_one_of_ours_belongs_to_its_family() -> None:
    env = SomebodysPeg()
    assert family_of(env) is FAMILIES["assembly"]
    env.close()


def test_a_cell_of_no_known_family_is_refused() -> None:
    with pytest.raises(UsageError, match="no cell of a known family"):
        family_of("CartPole-v1")


def test_an_unknown_id_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'cellwright/WeldSeam-v1'"):
        family_of("cellwright/WeldSeem-v1")
