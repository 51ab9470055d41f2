"""What the paper claims, what the shipped studies find, and the verdict: reproduced, contradicted, or not decided.

`verdict` has the rule, `findings` the figures, `claims` what is claimed of which study, `rows` the scorecard itself and
`words` how it is said. Sections are those of Malviya et al. (2024), arXiv 2405.15895.
"""

from landscape.analysis.scorecard.claims import CLAIMS, Claim
from landscape.analysis.scorecard.rows import Row, Scale, scorecard
from landscape.analysis.scorecard.verdict import Finding, Verdict, verdict

__all__ = ["CLAIMS", "Claim", "Finding", "Row", "Scale", "Verdict", "scorecard", "verdict"]
