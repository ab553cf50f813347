"""What experiments show: statistics of results, effects of depth, interpretability, performance, baselines."""
