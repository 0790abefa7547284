"""Side-by-side benchmarks: bxbackup against the tools that people use today, as ratios of one run."""
