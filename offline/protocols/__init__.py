"""Who trains, who selects, who is tested: every way of sharing out that we know."""
