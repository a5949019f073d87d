-- Parts of generations that are over (topic, slot, connector) are removed, unless somebody asked
-- to keep them: `badges resnapshot --keep`.

ALTER TABLE public.badge_logs ADD COLUMN IF NOT EXISTS kept boolean NOT NULL DEFAULT false;
