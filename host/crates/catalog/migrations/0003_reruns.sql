-- The run whose rejects this one goes over; null of one that goes over its whole input. That run may
-- be forgotten before this one.

ALTER TABLE runs ADD COLUMN rerun_of TEXT;
