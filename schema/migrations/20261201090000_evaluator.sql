-- Which evaluator decided a partition's last turn: a fingerprint of the source of what decides. Null
-- where an earlier version wrote it, which had none.

ALTER TABLE public.badge_log_positions ADD COLUMN IF NOT EXISTS evaluator text;

GRANT UPDATE (evaluator) ON public.badge_log_positions TO badges_worker;
