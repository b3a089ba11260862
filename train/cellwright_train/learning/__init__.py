"""Training: presets, demonstrations, curriculum, PPO, and the run directory."""
