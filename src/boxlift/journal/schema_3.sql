-- When a person says that a step began: what was ordered, say. Empty where nobody said it.
ALTER TABLE verdicts ADD COLUMN began REAL;
