-- At most one open alert of each kind and subject, however many workers raise it.

UPDATE public.badge_alerts a SET resolved_at = now()
WHERE resolved_at IS NULL AND EXISTS (
    SELECT FROM public.badge_alerts b
    WHERE b.kind = a.kind AND b.resolved_at IS NULL AND b.id < a.id
        AND coalesce(b.detail ->> 'subject', '') = coalesce(a.detail ->> 'subject', ''));

CREATE UNIQUE INDEX IF NOT EXISTS badge_alerts_one_open_key
    ON public.badge_alerts (kind, (coalesce(detail ->> 'subject', ''))) WHERE resolved_at IS NULL;

DROP INDEX IF EXISTS public.badge_alerts_open_idx;
