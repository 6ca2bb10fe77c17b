"""What is wrong with the tables as they really are, what follows from it, and what mends it.

findings     what a rule brings back: finding, severity, what it blocks
input        everything the rules may look at: facts, evidence, what the operator said
probes       asks for the evidence, each question in a savepoint
pair_probes  asks the impressions who is paired with what; pair_evidence holds what they say
made_rows, view_filter  ask whether rows that healing makes would count, and would be shown
ddl          identifiers and statements for the remedies
rules        every rule in order, and the examination that applies them
access, row_security, writability, defaults, moments, time_zones, references, uniqueness,
state_types, pair_suspicions, row_suspicions, advice, citus.rules
             the rules, pure: the input in, findings out

To add a rule: a function `rule(given: DoctorInput) -> Iterator[Finding]` in the module where it
belongs, a line in `rules.RULES`, its name in docs and tests. One about a relation gets it by
`@about`. What it has to ask of the server is a field of `input.Evidence` and a method of
`probes.ProbeSuite`.
"""
