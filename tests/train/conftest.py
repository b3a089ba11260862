"""Insertions are tested before their environment is registered with the others."""

import gymnasium

import cellwright_envs

PEG = "cellwright/PegInsertion-v0"

if PEG not in cellwright_envs.ENVIRONMENTS:
    gymnasium.register(
        id=PEG,
        entry_point="cellwright_envs.assembly.peg_insertion:PegInsertion",
        max_episode_steps=300,
    )
