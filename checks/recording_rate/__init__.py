"""Whether the app still records impressions as it usually does: pure statistics, two SELECTs.

samples     what is kept: real impressions an interval, counted when they were observed
calendar    the same time of the week in earlier weeks, and which samples a judgement needs
series      samples in order of time, with running totals, so that any stretch costs two look-ups
usual       the usual rate of a stretch, and how much it varies
level       how today compares with the usual, so that a holiday is not an outage
assessment  samples -> deviation, with what led to it
wording     the assessment as the check's measurement
reading     counts a sample on the database, and what its table still tells of the past

docs/recording-rate.md says what all this amounts to, with figures.
"""
