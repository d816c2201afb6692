"""Every paper whose tables we put beside ours."""

from offline.reproduce import asb, mtcnn, prior_dfcn
from offline.reproduce.paper import Paper

PAPERS: dict[str, Paper] = {
    paper.name: paper for paper in (mtcnn.PAPER, prior_dfcn.PAPER, asb.PAPER, asb.STAND_IN)
}
"""By the name on the command line."""
