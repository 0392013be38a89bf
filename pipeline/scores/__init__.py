"""How good predictions are: NumPy and tables in, numbers and tables out.

scores     the scores, one number each
bootstrap  their intervals
groups     those of groups of rows
curves     ROC, precision and recall, calibration, gain, net benefit
"""
