"""The network and the file that it comes in: bundles, and what their graphs may be."""
