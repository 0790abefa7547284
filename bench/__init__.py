"""Side-by-side benchmarks: ratios of whole programs in one run."""
