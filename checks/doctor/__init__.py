"""What is wrong with the tables as they really are, what follows from it, and what mends it.

findings     the words: finding, severity, what it blocks
case         everything the rules may look at: facts, evidence, what the operator said
evidence     answers that only a query can give; `probe` asks, by `questions`
naming       identifiers and statements for the remedies
rules        the order of the rules
presence, column_types, pair_index, uniqueness, references, expressions, writing, privileges,
clocks, citus, advice
             the rules, pure: a case in, findings out
examine      facts + probes + rules
"""

from checks.doctor.examine import examine
from checks.doctor.findings import Blocks, Examination, Finding, Severity

__all__ = ["Blocks", "Examination", "Finding", "Severity", "examine"]
