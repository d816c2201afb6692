"""A paper's tables beside ours, row by row: by its own protocol, and by an honest one."""
