"""The numbers that tankard is held to, as ratios of one run on one machine; start with integration/bench/run."""
