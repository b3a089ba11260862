"""What a command names is found and read once."""

from collections import Counter
from pathlib import Path
from typing import Any

import gymnasium
import pytest

from cellwright_runtime.bundle.policy import Bundle
from cellwright_train.cli import main
from cellwright_train.errors import UsageError
from cellwright_train.rollout import film
from cellwright_train.rollout.policies import resolve_policy
from cellwright_train.rollout.trial import Trial, episode_plan

PEG = "cellwright/PegInsertion-v1"


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often bundles are loaded and environments made."""
    counts: Counter[str] = Counter()
    load, make = Bundle.load.__func__, gymnasium.make  # type: ignore[attr-defined]

    def loading(cls: type[Bundle], *args: Any) -> Bundle:
        counts["bundles"] += 1
        return load(cls, *args)

    def making(*args: Any, **kwargs: Any) -> Any:
        counts["environments"] += 1
        return make(*args, **kwargs)

    monkeypatch.setattr(Bundle, "load", classmethod(loading))
    monkeypatch.setattr(gymnasium, "make", making)
    return counts


def test_a_part_with_a_report_takes_one_bundle_and_one_environment(
    counted: Counter[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(film, "FRAMES", 1)
    command = ["evaluate", "zoo:peg-insertion", "--episodes", "1", "--report", str(tmp_path / "page.html")]
    assert main(command) == 0
    assert counted == {"bundles": 1, "environments": 1}


def test_a_trial_says_what_was_asked_for() -> None:
    trial = Trial.resolve("oracle", env=PEG, products="round-8-0.5+square-8-0.3", seed=5, episodes=3)
    assert trial.cell.products == ("round-8-0.5", "square-8-0.3")
    assert trial.plan == episode_plan(5, 3, trial.cell.products)
    trial.close()


@pytest.mark.parametrize("env", [PEG, f"cellwright_envs:{PEG}"])
def test_an_environment_has_its_id_with_and_without_the_package(env: str) -> None:
    trial = Trial.resolve("oracle", env=env, seed=5, episodes=1)
    trial.close()
    assert trial.cell.env == PEG
    with pytest.raises(UsageError, match="unknown environment 'othermodule:cellwright/PegIns"):
        Trial.resolve("oracle", env=f"othermodule:{PEG}", seed=5, episodes=1)


def test_a_trial_opens_again_after_it_was_closed() -> None:
    trial = Trial.resolve("oracle", env=PEG, seed=5, episodes=1)
    first = trial.workplace
    assert trial.workplace is first
    trial.close()
    assert trial.workplace is not first
    trial.close()


def stable_baselines(path: Path) -> None:
    import zipfile

    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("data", "{}")
        archive.writestr("policy.pth", "")


def test_a_file_is_named_for_what_it_is(tmp_path: Path) -> None:
    stable_baselines(tmp_path / "ppo.zip")
    for name in ("manifest.json", "config.json", "policy.onnx", "notes"):
        (tmp_path / name).write_text("")
    for name, told in {
        "ppo.zip": "ppo.zip is a model of Stable-Baselines3, which holds pickles and is not loaded here; "
        "export it to a bundle from Python, as docs/bundle.md shows",
        "manifest.json": f"a file of a bundle; name its directory, {tmp_path}",
        "config.json": f"a file of a run; name its directory, {tmp_path}",
        "policy.onnx": "is a graph alone; a policy is a bundle",
        "notes": "is a file; a policy is a bundle or run directory, an expert's name, or zoo:NAME",
    }.items():
        with pytest.raises(UsageError) as refused:
            resolve_policy(str(tmp_path / name))
        assert told in str(refused.value)
