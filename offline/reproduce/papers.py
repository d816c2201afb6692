"""Every paper whose tables we put beside ours."""

from offline.reproduce import asb, cnn3d, mtcnn, prior_dfcn
from offline.reproduce.paper import Paper

PAPERS: dict[str, Paper] = {
    paper.name: paper
    for paper in (
        mtcnn.PAPER,
        prior_dfcn.PAPER,
        asb.PAPER,
        asb.STAND_IN,
        cnn3d.PAPER,
        cnn3d.STAND_IN,
    )
}
"""By the name on the command line."""
