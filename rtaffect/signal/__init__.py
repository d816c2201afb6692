"""Everything that has state in time: stamps, blocks, filters, resampling, rings, quality."""
