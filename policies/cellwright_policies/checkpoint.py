"""Checkpoints of training without pickles: weights and optimiser in safetensors, counters in JSON.

```
<checkpoint>/model.safetensors   policy/<name>: weights and buffers
                                 first_moment/ second_moment/ moment_steps/<name>: Adam's, once it stepped
                                 observation_low/ observation_high/<group>, action_low, action_high
             model.json          counters, order of the observation groups, state of the generator
```

Reading runs no code of whoever wrote the files, and builds a network only after its sizes were found to be
those of the tensors in the file.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from torch import nn

from cellwright_policies.networks import CellActorCritic, NetworkConfig
from cellwright_policies.ppo import CellPPO
from cellwright_runtime.files.json_text import canonical_json, parse_json
from cellwright_runtime.files.reading import FileError, read_file
from cellwright_runtime.files.tensors import tensor_shapes

TENSORS = "model.safetensors"
COUNTERS = "model.json"
_MOST_TENSOR_BYTES = 64 * 2**20
_MOST_COUNTER_BYTES = 2**20
_MOMENTS = {"first_moment": "exp_avg", "second_moment": "exp_avg_sq", "moment_steps": "step"}
"""Names of Adam's state in the file and in torch."""
_COUNTERS = {"steps": "num_timesteps", "updates": "_n_updates", "rollouts": "rollouts"}
"""Names of counters in the file and in `CellPPO`."""
_POLICY = "policy/"
"""What the names of weights begin with."""
_HALF_WORD = ("has_uint32", "uinteger")
"""What a PCG64 has kept of its last 64 bits."""


def write_checkpoint(directory: Path, model: CellPPO) -> None:
    """Write all that `restore` needs into the directory, which has to be there."""
    tensors = {f"{_POLICY}{name}": tensor for name, tensor in model.policy.state_dict().items()}
    for name, parameter in model.policy.named_parameters():
        state = model.policy.optimizer.state.get(parameter, {})
        tensors |= {f"{ours}/{name}": state[theirs] for ours, theirs in _MOMENTS.items() if theirs in state}
    arrays = {name: np.array(each.detach().cpu().numpy(), order="C") for name, each in tensors.items()}
    arrays |= _bounds(model.policy)
    counters = {
        **{ours: int(getattr(model, theirs)) for ours, theirs in _COUNTERS.items()},
        "observation": list(_observation_space(model.policy)),
        "aux_indices": list(model.policy.aux_indices),
        "generator": _generator_state(model.batch_rng),
    }
    (directory / TENSORS).write_bytes(safetensors.numpy.save(arrays))
    (directory / COUNTERS).write_bytes(canonical_json(counters))


def weights_file(weights: Mapping[str, torch.Tensor]) -> bytes:
    """The content of a file that `read_weights` reads, of a policy's `state_dict`."""
    arrays = {name: np.array(each.detach().cpu().numpy(), order="C") for name, each in weights.items()}
    return safetensors.numpy.save({f"{_POLICY}{name}": values for name, values in arrays.items()})


def read_weights(file: Path, policy: CellActorCritic) -> dict[str, torch.Tensor]:
    """A `state_dict` of `policy`; raises `FileError` where the file is damaged or of another policy."""
    data = read_file(file, most_bytes=_MOST_TENSOR_BYTES)
    shapes = tensor_shapes(data, str(file))
    _require_shapes({name.removeprefix(_POLICY): shape for name, shape in shapes.items()}, policy, file)
    loaded = safetensors.numpy.load(data)
    return {name.removeprefix(_POLICY): torch.from_numpy(values) for name, values in loaded.items()}


def read_policy(directory: Path, network: NetworkConfig) -> CellActorCritic:
    """The policy of a checkpoint, ready to act on the CPU.

    Raises `FileError` where a file is damaged or holds another network than `network`.
    """
    files = _Files(directory)
    space, actions = files.observation_space(), files.action_space()
    aux_indices = files.aux_indices()
    with torch.device("meta"):  # without memory, however large the network is in the file
        sizes = _built(space, actions, network, aux_indices, directory)
    files.require_fit(sizes)
    policy = _built(space, actions, network, aux_indices, directory)
    policy.load_state_dict(files.weights())
    policy.set_training_mode(False)
    return policy


def require_weights(
    weights: Mapping[str, NDArray[Any]],
    space: spaces.Dict,
    actions: spaces.Box,
    network: NetworkConfig,
    aux_indices: tuple[int, ...],
    where: Path,
) -> None:
    """Raise `FileError` unless `weights`, read from `where`, are those of such a policy and no others."""
    with torch.device("meta"):
        made = _built(space, actions, network, aux_indices, where)
    _require_shapes({name: np.shape(values) for name, values in weights.items()}, made, where)


def restore(directory: Path, model: CellPPO) -> None:
    """Make `model`, new and with the settings of its run, go on from a checkpoint.

    Raises `FileError`, and leaves the model as it was, where a file is damaged or belongs to another model.
    """
    files = _Files(directory)
    files.require_fit(model.policy)
    counters, generator = files.counters(), files.generator()
    moments = dict(files.moments(model.policy))
    model.policy.load_state_dict(files.weights())
    model.policy.optimizer.state.clear()
    for parameter, state in moments.items():
        model.policy.optimizer.state[parameter] = state
    for name, value in counters.items():
        setattr(model, name, value)
    model.batch_rng = generator


class _Files:
    """Both files of a checkpoint, each value checked when it is asked for."""

    def __init__(self, directory: Path) -> None:
        self._where = directory / TENSORS
        data = read_file(self._where, most_bytes=_MOST_TENSOR_BYTES)
        self._shapes = tensor_shapes(data, str(self._where))
        try:
            self._tensors: dict[str, NDArray[Any]] = safetensors.numpy.load(data)
        except safetensors.SafetensorError as error:
            raise FileError(f"{self._where} is no safetensors file: {error}") from None
        for name, values in self._tensors.items():
            if not np.isfinite(values).all():
                raise FileError(f"{self._where} {name} holds a number that is not finite")
        self._json = directory / COUNTERS
        values = parse_json(read_file(self._json, most_bytes=_MOST_COUNTER_BYTES), str(self._json))
        if not isinstance(values, dict):
            raise FileError(f"{self._json} is no object")
        self._values: dict[str, Any] = values

    def observation_space(self) -> spaces.Dict:
        names = self._value("observation", list)
        if not names or not all(isinstance(name, str) for name in names):
            raise FileError(f"{self._json} observation is no list of names")
        return spaces.Dict(
            [(name, self._box(f"observation_low/{name}", f"observation_high/{name}")) for name in names]
        )

    def action_space(self) -> spaces.Box:
        return self._box("action_low", "action_high")

    def aux_indices(self) -> tuple[int, ...]:
        indices = self._value("aux_indices", list)
        if not all(type(index) is int and index >= 0 for index in indices):
            raise FileError(f"{self._json} aux_indices is no list of indices")
        return tuple(indices)

    def require_fit(self, policy: CellActorCritic) -> None:
        """Raise `FileError` unless the file holds the weights of `policy`, neither more nor others."""
        held = {name: shape for name, shape in self._shapes.items() if name.startswith(_POLICY)}
        _require_shapes(
            {name.removeprefix(_POLICY): shape for name, shape in held.items()}, policy, self._where
        )

    def weights(self) -> Mapping[str, torch.Tensor]:
        names = [name for name in self._tensors if name.startswith(_POLICY)]
        return {name.removeprefix(_POLICY): torch.from_numpy(self._tensors[name]) for name in names}

    def moments(self, policy: nn.Module) -> Iterator[tuple[nn.Parameter, dict[str, torch.Tensor]]]:
        """Adam's state of each parameter that has one."""
        for name, parameter in policy.named_parameters():
            held = [ours for ours in _MOMENTS if f"{ours}/{name}" in self._tensors]
            if not held:
                continue
            if len(held) < len(_MOMENTS):
                raise FileError(f"{self._where} has {held[0]}/{name} and not all of {', '.join(_MOMENTS)}")
            shapes = (parameter.shape, parameter.shape, torch.Size())
            yield (
                parameter,
                {
                    theirs: self._like(parameter, f"{ours}/{name}", shape)
                    for (ours, theirs), shape in zip(_MOMENTS.items(), shapes, strict=True)
                },
            )

    def counters(self) -> dict[str, int]:
        found = {theirs: self._value(ours, int) for ours, theirs in _COUNTERS.items()}
        if negative := [ours for ours, theirs in _COUNTERS.items() if found[theirs] < 0]:
            raise FileError(f"{self._json} {negative[0]} is negative")
        return found

    def generator(self) -> np.random.Generator:
        state = self._value("generator", dict)
        try:
            bits: Any = np.random.PCG64()
            words = {name: int(state[name], 16) for name in ("state", "inc")}
            bits.state = {
                "bit_generator": "PCG64",
                "state": words,
                **{name: state[name] for name in _HALF_WORD},
            }
        except (KeyError, TypeError, ValueError, OverflowError):
            raise FileError(f"{self._json} generator is not the state of a PCG64") from None
        return np.random.Generator(bits)

    def _value(self, name: str, kind: type) -> Any:
        if type(self._values.get(name)) is not kind:
            raise FileError(f"{self._json} {name} is missing or no {kind.__name__}")
        return self._values[name]

    def _tensor(self, name: str) -> NDArray[Any]:
        if name not in self._tensors:
            raise FileError(f"{self._where} lacks {name[:80]}")
        return self._tensors[name]

    def _box(self, low_name: str, high_name: str) -> spaces.Box:
        low, high = self._tensor(low_name), self._tensor(high_name)
        if low.shape != high.shape or low.dtype != high.dtype or low.dtype not in (np.uint8, np.float32):
            raise FileError(f"{self._where} {low_name[:80]} and {high_name[:80]} are no bounds of a group")
        return spaces.Box(low, high, dtype=low.dtype.type)

    def _like(self, parameter: torch.Tensor, name: str, shape: torch.Size) -> torch.Tensor:
        """The tensor called `name`, laid out in memory and placed as torch does it for `parameter`."""
        values = torch.from_numpy(self._tensors[name])
        if values.shape != shape or values.dtype != torch.float32:
            raise FileError(f"{self._where} {name} is {tuple(values.shape)}, its parameter {tuple(shape)}")
        return values if shape == () else torch.empty_like(parameter, requires_grad=False).copy_(values)


def _require_shapes(held: Mapping[str, tuple[int, ...]], policy: CellActorCritic, where: Path) -> None:
    wanted = {name: tuple(tensor.shape) for name, tensor in policy.state_dict().items()}
    for name in sorted(wanted.keys() | held.keys()):
        if wanted.get(name) != held.get(name):
            raise FileError(
                f"{where} {_POLICY}{name} is {held.get(name, 'missing')}, "
                f"the run's configuration makes it {wanted.get(name, 'nothing')}"
            )


def _built(
    space: spaces.Dict,
    actions: spaces.Box,
    network: NetworkConfig,
    aux_indices: tuple[int, ...],
    directory: Path,
) -> CellActorCritic:
    try:
        return CellActorCritic(space, actions, lambda _: 0.0, network=network, aux_indices=aux_indices)
    except (KeyError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise FileError(f"{directory} and the run's configuration make no network: {reason[:200]}") from None


def _bounds(policy: CellActorCritic) -> dict[str, NDArray[Any]]:
    boxes = {f"observation_{{}}/{name}": box for name, box in _observation_space(policy).items()}
    boxes["action_{}"] = policy.action_space
    found: dict[str, NDArray[Any]] = {}
    for name, box in boxes.items():
        assert isinstance(box, spaces.Box)
        found |= {name.format("low"): box.low, name.format("high"): box.high}
    return found


def _observation_space(policy: CellActorCritic) -> spaces.Dict:
    assert isinstance(policy.observation_space, spaces.Dict)
    return policy.observation_space


def _generator_state(generator: np.random.Generator) -> dict[str, Any]:
    """A PCG64, its words of 128 bits as texts, because JSON's numbers do not hold them."""
    state = generator.bit_generator.state
    words = {name: f"{word:x}" for name, word in state["state"].items()}
    return words | {name: state[name] for name in _HALF_WORD}
