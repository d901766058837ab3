"""The table of rows: DESIGN 8 line by line. The first word is what --only takes."""
from . import clones, footprint, listing, packs

ROWS = {
    "ls-refs": listing.ls_refs,                     # against nginx's static files, and p99 in an outage
    "throughput": packs.throughput,                 # full clones of what tankard has
    "first-clone": clones.first_clone,              # of what it has not
    "cold-clones": clones.cold_clones,              # what many of them cost the upstream
    "new-commit": clones.new_commit,
    "memory": footprint.streaming_memory,
    "idle": footprint.idle_connections,
    "cache-size": listing.cache_size,
    "scaling": packs.scaling,                       # the plot
}
