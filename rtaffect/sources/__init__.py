"""Where events come from: live streams, buffers and recordings, one file each."""
