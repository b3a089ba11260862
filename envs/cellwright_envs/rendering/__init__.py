"""The z-buffer rasteriser and what is drawn with it: cameras' views and pictures for people."""
