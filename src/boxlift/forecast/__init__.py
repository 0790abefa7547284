"""Where a move will end: durations, finish, leads in the gap, with what stands behind each figure."""
