"""Features as torch modules: they are exported inside the graph, so the runtime computes none."""
