"""Every paper whose tables we put beside ours."""

from offline.reproduce import mtcnn, prior_dfcn
from offline.reproduce.paper import Paper

PAPERS: dict[str, Paper] = {paper.name: paper for paper in (mtcnn.PAPER, prior_dfcn.PAPER)}
"""By the name on the command line."""
