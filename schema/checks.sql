-- Checks that are one query each: a row is a difference. A statement may be empty.

-- name: roles
SELECT format('role %s', wanted.name) AS "where",
       CASE WHEN r.oid IS NULL THEN 'is missing' ELSE 'may not replicate' END AS found,
       CASE WHEN r.oid IS NULL THEN 'the role' ELSE 'REPLICATION' END AS needed,
       CASE WHEN r.oid IS NULL
           THEN format('CREATE ROLE %s NOLOGIN%s;', wanted.name,
                       CASE WHEN wanted.replicates THEN ' REPLICATION' END)
           ELSE format('ALTER ROLE %s REPLICATION;', wanted.name) END AS statement,
       'mend' AS consequence, wanted.replicates AS spoils_log
FROM (VALUES ('badges_worker', false), ('badges_api', false), ('badges_connect', true))
    AS wanted (name, replicates)
LEFT JOIN pg_roles r ON r.rolname = wanted.name
WHERE r.oid IS NULL OR wanted.replicates AND NOT r.rolreplication;

-- $1: the rights that our roles must have, as JSON.
-- name: rights
SELECT format('role %s', role) AS "where", format('lacks %s on %s', "right", target) AS found,
       text AS needed, format('GRANT %s TO %s;', text, role) AS statement, 'mend' AS consequence,
       role = 'badges_connect' AS spoils_log
FROM jsonb_to_recordset($1::text::jsonb)
    AS wanted (role text, "right" text, kind text, target text, columns text[]),
    concat_ws(' ', "right", '(' || array_to_string(columns, ', ') || ')', 'ON', nullif(kind, ''),
              target) AS text
WHERE NOT CASE
    WHEN NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN false
    ELSE coalesce(CASE
        WHEN kind = 'FUNCTION' THEN has_function_privilege(role, to_regprocedure(target), "right")
        WHEN kind = 'SCHEMA' THEN has_schema_privilege(role, to_regnamespace(target), "right")
        WHEN columns IS NULL THEN has_table_privilege(role, to_regclass(target), "right")
        ELSE (SELECT bool_and(a.attnum IS NOT NULL AND coalesce(
                  has_column_privilege(role, a.attrelid, a.attnum, "right"), false))
              FROM unnest(columns) AS listed (name)
              LEFT JOIN pg_attribute a ON a.attrelid = to_regclass(target)
                  AND a.attname = listed.name AND NOT a.attisdropped)
        END, false) END;

-- What is nobody else's. $1: tables and views, $2: functions, $3: what `authenticated` may read or
-- call once that is exposed.
-- name: open
WITH exposed AS (
    SELECT coalesce(CASE WHEN name LIKE '%)' THEN to_regprocedure(name)::oid
                         ELSE to_regclass(name)::oid END, 0) AS oid
    FROM unnest($3::text[]) AS listed (name)
    WHERE EXISTS (SELECT FROM pg_policy WHERE polname = 'badges_exposed'
                  AND polrelid = to_regclass('public.badge_awards'))
), ours AS (
    SELECT c.oid, 'TABLE' AS kind, c.oid::regclass::text AS name, c.relacl AS rights
    FROM pg_class c, unnest($1::text[]) AS listed (name)
    WHERE c.oid = to_regclass(listed.name) OR c.relkind = 'S' AND EXISTS (
        SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.refobjid = to_regclass(listed.name))
    UNION
    SELECT p.oid, 'FUNCTION', p.oid::regprocedure::text, coalesce(p.proacl, acldefault('f', p.proowner))
    FROM pg_proc p
    WHERE p.pronamespace = to_regnamespace('badges_private')
        OR p.oid = ANY (SELECT to_regprocedure(name) FROM unnest($2::text[]) AS listed (name))
)
SELECT DISTINCT format('%s %s', lower(o.kind), o.name) AS "where",
       format('is open to %s', whom) AS found,
       'no rights for PUBLIC, anon and authenticated' AS needed,
       format('REVOKE ALL ON %s %s FROM %s;', o.kind, o.name, whom) AS statement,
       'mend' AS consequence
FROM ours o, aclexplode(o.rights) a LEFT JOIN pg_roles r ON r.oid = a.grantee,
    coalesce(r.rolname::text, 'PUBLIC') AS whom
WHERE (a.grantee = 0 OR r.rolname IN ('anon', 'authenticated'))
    AND NOT (r.rolname IS NOT DISTINCT FROM 'authenticated' AND a.privilege_type IN ('SELECT', 'EXECUTE')
             AND o.oid IN (SELECT oid FROM exposed))
ORDER BY 1 DESC, 2;

-- What `authenticated` may not read or call though it was exposed. $1: all that can be exposed.
-- name: concealed
SELECT 'role authenticated' AS "where", format('lacks %s on %s', "right", name) AS found,
       'what is exposed to it' AS needed, 'SELECT badges_private.expose();' AS statement,
       'mend' AS consequence
FROM unnest($1::text[]) AS listed (name),
    LATERAL (SELECT CASE WHEN name LIKE '%)' THEN 'EXECUTE' ELSE 'SELECT' END AS "right") AS needs
WHERE EXISTS (SELECT FROM pg_policy WHERE polname = 'badges_exposed'
              AND polrelid = to_regclass('public.badge_awards'))
    AND CASE WHEN name LIKE '%)'
        THEN NOT has_function_privilege('authenticated', to_regprocedure(name), 'EXECUTE')
        ELSE NOT has_table_privilege('authenticated', to_regclass(name), 'SELECT') END;

-- name: without_row_security
SELECT format('table %s', c.oid::regclass) AS "where", 'is without row-level security' AS found,
       'row-level security' AS needed,
       format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY;', c.oid::regclass) AS statement,
       'mend' AS consequence
FROM pg_class c
WHERE c.oid = ANY (SELECT to_regclass(name) FROM unnest($1::text[]) AS listed (name))
    AND c.relkind = 'r' AND NOT c.relrowsecurity
ORDER BY 1;

-- name: restrictive
SELECT format('policy %s on public.%s', policyname, tablename) AS "where",
       format('restricts %s, so that rows may be hidden from the log',
              array_to_string(roles, ', ')) AS found,
       'no restrictive policy for badges_worker and badges_connect' AS needed,
       coalesce((SELECT format('ALTER POLICY %I ON public.%I TO authenticated;', policyname,
                               tablename)
                 FROM pg_roles WHERE rolname = 'authenticated'), '') AS statement,
       'report' AS consequence
FROM pg_policies
WHERE schemaname = 'public' AND permissive = 'RESTRICTIVE'
    AND tablename IN ('peer_mentors', 'activities', 'training_completions', 'mentor_pauses')
    AND roles && ARRAY['public', 'badges_worker', 'badges_connect']::name[]
ORDER BY tablename, policyname;

-- Whether the functions that run as their owner see every row of the tables. They lock the mentors
-- and definitions of a turn: whom row-level security hides from them, by FORCE or as another's, is
-- taken for deleted, and the award is dropped; so would be whoever is decided at a log's start.
-- name: hidden
WITH owner AS (
    SELECT DISTINCT p.proowner AS id FROM pg_proc p
    WHERE p.prosecdef AND p.pronamespace = to_regnamespace('badges_private')
), acting AS (
    SELECT r.oid AS id, r.rolname AS name FROM pg_roles r
    WHERE NOT r.rolsuper AND NOT r.rolbypassrls
        AND (r.oid IN (SELECT id FROM owner)
             OR r.rolname = current_user AND NOT EXISTS (SELECT FROM owner))
)
SELECT format('table public.%s', c.relname) AS "where",
       format('%s "%s", as whom our functions run: what they do not see is taken for deleted, and '
              'awards are dropped',
              CASE WHEN c.relforcerowsecurity THEN 'forces row-level security on'
                   ELSE 'hides rows from' END, acting.name) AS found,
       'a policy that shows every row to that role' AS needed,
       format('CREATE POLICY badges_owner_all ON public.%s FOR ALL TO "%s" USING (true) '
              'WITH CHECK (true);', c.relname, acting.name) AS statement,
       'stop' AS consequence, true AS spoils_log
FROM pg_class c, acting
WHERE c.relnamespace = 'public'::regnamespace AND c.relname = ANY ($1) AND c.relrowsecurity
    AND (c.relforcerowsecurity OR NOT pg_has_role(acting.id, c.relowner, 'USAGE'))
    AND NOT EXISTS (
        SELECT FROM pg_policies p
        WHERE p.schemaname = 'public' AND p.tablename = c.relname AND p.permissive = 'PERMISSIVE'
            AND p.cmd = 'ALL' AND p.qual = 'true' AND coalesce(p.with_check, 'true') = 'true'
            AND p.roles && ARRAY['public', acting.name])
ORDER BY c.relname, acting.name;

-- Rows that differ from their newest version; none where nothing was ever recorded.
-- name: missed_versions
SELECT format('public.%s %s', CASE kind WHEN 'definition' THEN 'badge_definitions'
                                        ELSE 'organizations' END, id) AS "where",
       CASE what WHEN 'inserted' THEN 'was inserted, and no version is recorded'
                 WHEN 'renumbered' THEN 'has another number than its newest version'
                 ELSE format('was %s, and no version of that is recorded', what) END AS found,
       'a version of what it is now, for the workers to decide by' AS needed,
       'SELECT badges_private.record_missed_versions();' AS statement, 'mend' AS consequence
FROM badges_private.missed_versions() ORDER BY kind, id::text;

-- name: same_keys
SELECT 'public.badge_definitions' AS "where",
       format('%s definitions of %s have the key ''%s'': %s', count(*),
              coalesce(organization_id::text, 'every organization'), key,
              string_agg(id::text, ', ' ORDER BY id)) AS found,
       'one definition a key and organization' AS needed,
       'UPDATE public.badge_definitions SET key = key || ''-'' || left(id::text, 8) '
       'WHERE id = ''...'';' AS statement,
       'stop' AS consequence
FROM public.badge_definitions GROUP BY organization_id, key HAVING count(*) > 1
ORDER BY coalesce(organization_id::text, 'every organization'), key LIMIT 20;

-- name: statuses
SELECT 'public.badge_definitions.status' AS "where",
       format('has the value ''%s''', status) AS found,
       'draft, active or retired' AS needed,
       format('UPDATE public.badge_definitions SET status = ''draft'' WHERE status = %L;', status)
           AS statement,
       'stop' AS consequence
FROM public.badge_definitions WHERE status NOT IN ('draft', 'active', 'retired')
GROUP BY status ORDER BY status LIMIT 20;

-- name: zones
SELECT 'public.organizations.timezone' AS "where",
       format('''%s'' of organization %s is no known time zone', timezone, id) AS found,
       'an IANA name, spelled exactly' AS needed,
       format('UPDATE public.organizations SET timezone = ''Europe/Oslo'' WHERE id = ''%s'';', id)
           AS statement,
       'stop' AS consequence
FROM public.organizations WHERE timezone NOT IN (SELECT name FROM pg_timezone_names)
ORDER BY id LIMIT 20;

-- What the publication shows. $1: its name, $2: the tables in their order as JSON, each with its
-- columns and those of them that the migrations which are applied published. Where somebody took
-- one of these away there is nothing to say yet: once it is back there is something to list.
-- name: publication
WITH wanted AS (
    SELECT * FROM ROWS FROM (jsonb_to_recordset($2::text::jsonb) AS (
        name text, columns text[], older text[])) WITH ORDINALITY AS w (name, columns, older, place)
), shown AS (
    SELECT tablename::text AS name, attnames::text[] AS columns, rowfilter
    FROM pg_publication_tables WHERE schemaname = 'public' AND pubname = $1::text
), compared AS (
    -- Of a table that is on one side alone the other's columns are null.
    SELECT coalesce(every_row AND s.columns @> w.columns AND s.columns <@ w.columns, false)
               AS as_wanted,
           coalesce(every_row AND s.columns @> w.older AND s.columns <@ w.older, false) AS as_before
    FROM wanted w FULL JOIN shown s ON s.name = w.name,
        LATERAL (SELECT s.rowfilter IS NULL AS every_row) AS filters
), lists AS (
    SELECT (SELECT string_agg(format('public.%s (%s)', name, array_to_string(columns, ', ')), ', '
                              ORDER BY place) FROM wanted) AS tables,
           (SELECT string_agg(format('%s (%s)', name, array_to_string(columns, ', ')), '; '
                              ORDER BY name COLLATE "C") FROM shown) AS shown,
           (SELECT bool_and(as_before) FROM compared) AS as_before
), known AS (
    SELECT p.*, lists.*, format('DROP PUBLICATION "%s";', $1::text) AS dropped,
           CASE
               WHEN p.oid IS NULL THEN 'missing'
               WHEN p.puballtables THEN 'everything'
               WHEN (SELECT bool_and(as_wanted) FROM compared) THEN 'as it must be'
               WHEN EXISTS (SELECT FROM wanted WHERE to_regclass('public.' || name) IS NULL)
                   THEN 'other, and a table is missing'
               WHEN EXISTS (
                   SELECT FROM wanted, unnest(older) AS listed (name) WHERE NOT EXISTS (
                       SELECT FROM pg_attribute a
                       WHERE a.attrelid = to_regclass('public.' || wanted.name)
                           AND a.attname = listed.name AND NOT a.attisdropped))
                   THEN 'other, and a column is missing'
               ELSE 'other' END AS state
    FROM lists LEFT JOIN pg_publication p ON p.pubname = $1::text
)
SELECT format('publication %s', $1::text) AS "where", told.*, true AS spoils_log
FROM known, LATERAL (
    SELECT 'is missing' AS found, 'the mentors'' tables by column list' AS needed,
           format('CREATE PUBLICATION "%s" FOR TABLE %s '
                  'WITH (publish = ''insert, update, delete'');', $1::text, tables) AS statement,
           'mend' AS consequence
    WHERE state = 'missing'
    UNION ALL
    SELECT 'is for all tables', 'column lists', dropped, 'stop' WHERE state = 'everything'
    UNION ALL
    SELECT concat('has other tables, columns or row filters: ', shown), tables,
           CASE state
               WHEN 'other' THEN format('ALTER PUBLICATION "%s" SET TABLE %s;', $1::text, tables)
               ELSE dropped END,
           CASE WHEN state = 'other' AND as_before THEN 'mend' ELSE 'stop' END
    WHERE state IN ('other', 'other, and a table is missing')
    UNION ALL
    SELECT 'leaves out inserts, updates or deletes', 'insert, update, delete',
           format('ALTER PUBLICATION "%s" SET (publish = ''insert, update, delete'');', $1::text),
           'stop'
    WHERE state IN ('other', 'as it must be') AND NOT (pubinsert AND pubupdate AND pubdelete)
) AS told;

-- Others' publications of tables whose rows are known by mentor and id: with our replica identity,
-- updates of such a table would fail for everybody. $1: our publication, $2: the tables.
-- name: other_publications
SELECT format('publication %s', pubname) AS "where",
       CASE WHEN missing <> '' THEN format('leaves %s of %s out', missing, name)
            ELSE format('filters rows of %s by %s', name, rowfilter) END AS found,
       'the columns of the replica identity (peer_mentor_id, id), and no row filter' AS needed,
       format('ALTER PUBLICATION %I DROP TABLE %s; ALTER PUBLICATION %I ADD TABLE %s (%s);',
              pubname, name, pubname, name, concat_ws(', ', 'id', 'peer_mentor_id', more))
           AS statement,
       'stop' AS consequence
FROM pg_publication p JOIN pg_publication_tables t USING (pubname),
    format('public.%s', tablename) AS name,
    LATERAL (SELECT string_agg(wanted.name, ', ' ORDER BY wanted.name)
                    FILTER (WHERE wanted.name <> ALL (t.attnames)) AS missing
             FROM (VALUES ('id'::name), ('peer_mentor_id')) AS wanted (name)) AS wanted,
    LATERAL (SELECT string_agg(quote_ident(c), ', ') AS more FROM unnest(t.attnames) AS c
             WHERE c NOT IN ('id', 'peer_mentor_id')) AS listed
WHERE schemaname = 'public' AND pubname <> $1 AND tablename = ANY ($2)
    AND (p.pubupdate OR p.pubdelete) AND (missing <> '' OR rowfilter IS NOT NULL)
ORDER BY pubname, tablename;

-- Source tables that are missing where an application may have them by another name: in another
-- schema, or among tables that are not known here. One that `migrate` creates stays empty if the
-- application keeps its rows elsewhere, and nobody is awarded anything: a word is asked for.
-- Neither what belongs to an extension counts, such as spatial_ref_sys, nor partitions.
-- $1: the application's tables, $2: all that we know.
-- name: presence
WITH missing AS (
    -- An application without badges rightly lacks their definitions.
    SELECT string_agg(name, ', ' ORDER BY place) AS names
    FROM unnest($1::text[]) WITH ORDINALITY AS wanted (name, place)
    WHERE to_regclass('public.' || name) IS NULL AND name <> 'badge_definitions'
), there AS (
    SELECT n.nspname AS schema, c.relname AS name
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'f') AND NOT c.relispartition
        AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
                        AND d.objid = c.oid AND d.deptype = 'e')
), other AS (
    SELECT count(*) AS number,
           string_agg(name, ', ' ORDER BY name) FILTER (WHERE place <= 12)
           || CASE WHEN count(*) > 12 THEN format(' and %s more', count(*) - 12) ELSE '' END
               AS shown
    FROM (SELECT name, row_number() OVER (ORDER BY name) AS place
          FROM there WHERE schema = 'public' AND name <> ALL ($2)) AS numbered
), elsewhere AS (
    SELECT quote_ident(schema) AS schema,
           string_agg(name, ', ' ORDER BY array_position($1, name::text)) AS names,
           string_agg(format('ALTER TABLE %I.%I SET SCHEMA public;', schema, name), E'\n'
                      ORDER BY array_position($1, name::text)) AS moves
    FROM there
    WHERE schema !~ '^pg_' AND schema NOT IN ('public', 'information_schema')
        AND name = ANY ($1) AND to_regclass('public.' || name) IS NULL
    GROUP BY schema
), known AS (
    -- Which of several schemas is meant is not known.
    SELECT count(*) AS number, min(schema) AS schema, min(moves) AS moves,
           string_agg(format('schema %s has %s', schema, names), '; ' ORDER BY schema) AS shown
    FROM elsewhere
)
SELECT 'schema public' AS "where",
       format('has no %s, %s', missing.names,
              coalesce('but ' || known.shown,
                       'and tables that look like an application''s: ' || other.shown)) AS found,
       format('the application''s tables %s; or your word%s that %s are to be created, empty',
              CASE known.number
                  WHEN 0 THEN 'under these names, which is for you to do'
                  WHEN 1 THEN format('in schema public, with the search_path %s, public for what '
                                     'writes them', known.schema)
                  ELSE 'in schema public, which is for you to do' END,
              CASE known.number WHEN 1 THEN ' (`badges migrate --create`)' END, missing.names)
           AS needed,
       CASE known.number WHEN 1 THEN known.moves ELSE 'badges migrate --create' END AS statement,
       'stop' AS consequence, true AS spoils_log
FROM missing, other, known
WHERE missing.names IS NOT NULL AND (known.number > 0 OR other.number > 0);

-- What has a table's name and is none. There is a statement only where it takes no row away: out of
-- the way, the rows of an application's table would be missed.
-- $1: our tables, $2: those whose rows are the application's.
-- name: other_kinds
WITH RECURSIVE named AS (
    SELECT c.oid, c.relname AS name, c.relkind::text AS kind FROM pg_class c
    WHERE c.relnamespace = 'public'::regnamespace AND c.relname = ANY ($1) AND c.relkind <> 'r'
), read (view, oid) AS (
    SELECT oid, oid FROM named
    UNION
    SELECT read.view, d.refobjid FROM read
    JOIN pg_rewrite w ON w.ev_class = read.oid
    JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid
        AND d.refclassid = 'pg_class'::regclass
), known AS (
    SELECT named.*,
           (SELECT string_agg(n.nspname || '.' || c.relname, ' and ' ORDER BY n.nspname, c.relname)
            FROM read JOIN pg_class c ON c.oid = read.oid
            JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE read.view = named.oid AND c.oid <> named.oid AND c.relkind IN ('r', 'p', 'f'))
               AS read,
           (SELECT s.srvname FROM pg_foreign_table f JOIN pg_foreign_server s ON s.oid = f.ftserver
            WHERE f.ftrelid = named.oid) AS server,
           (SELECT count(*) - 1 FROM pg_partition_tree(named.oid) WHERE isleaf OR level = 0)
               AS partitions
    FROM named
), told AS (
    SELECT name, kind,
        CASE
            WHEN kind IN ('v', 'm') AND read IS NOT NULL THEN format(
                'a %sview of %s, and Postgres sends the rows of tables, never those of a view',
                CASE kind WHEN 'm' THEN 'materialized ' END, read)
            WHEN kind = 'f' THEN format('a foreign table, and what changes on its server %s is in '
                'that server''s log alone', server)
            WHEN kind = 'p' THEN format('a partitioned table, and Postgres sends its rows under '
                'the names of its %s partitions', partitions)
        END AS why,
        CASE
            WHEN kind IN ('v', 'm') THEN format('a plain table: %s with this name and these '
                'columns, or a table that your triggers on %s keep up to date', read, read)
            WHEN kind = 'f' THEN format('a plain table: work on the database of %s itself, or '
                'bring its rows here by logical replication', server)
            ELSE 'a plain table with the primary key (id)'
        END AS serves
    FROM known
)
SELECT format('public.%s', name) AS "where",
       concat_ws(': ', 'something else has this name', why) AS found,
       CASE WHEN why IS NOT NULL AND name = ANY ($2) THEN serves ELSE 'a plain table' END AS needed,
       CASE WHEN why IS NOT NULL AND name = ANY ($2) THEN ''
            ELSE format('ALTER %s public.%s RENAME TO %s_old;',
                CASE kind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW'
                    WHEN 'f' THEN 'FOREIGN TABLE' WHEN 'S' THEN 'SEQUENCE' WHEN 'c' THEN 'TYPE'
                    WHEN 'i' THEN 'INDEX' WHEN 'I' THEN 'INDEX' ELSE 'TABLE' END, name, name)
       END AS statement,
       'stop' AS consequence, true AS spoils_log
FROM told ORDER BY name;

-- Nobody should become a superuser for a table's sake.
-- name: not_ours
SELECT format('public.%s', c.relname) AS "where",
       format('owned by %s, whom this user may not act for', o.rolname) AS found,
       'a table that this user may alter' AS needed,
       CASE WHEN o.rolsuper
           THEN format('ALTER TABLE public.%s OWNER TO "%s";', c.relname, current_user)
           ELSE format('GRANT "%s" TO "%s";', o.rolname, current_user) END AS statement,
       'stop' AS consequence
FROM pg_class c JOIN pg_roles o ON o.oid = c.relowner
WHERE c.relnamespace = 'public'::regnamespace AND c.relname = ANY ($1) AND c.relkind = 'r'
    AND NOT pg_has_role(c.relowner, 'USAGE')
ORDER BY c.relname;

-- Foreign keys whose rows stay when what they refer to goes. Those that must cascade stop
-- `migrate`; of others to mentors it only says so. $1: the foreign keys that must be there, as
-- JSON, $2: the tables with whose rows goes what refers to them.
-- name: without_cascade
WITH wanted AS (
    SELECT * FROM jsonb_to_recordset($1::text::jsonb)
        AS w ("table" text, columns text[], target text)
), found AS (
    SELECT own.relname::text AS "table", c.conname AS name, other.relname::text AS target,
           own.relkind AS kind, named.*,
           CASE WHEN c.condeferred THEN ' DEFERRABLE INITIALLY DEFERRED'
                WHEN c.condeferrable THEN ' DEFERRABLE' ELSE '' END
               || CASE WHEN c.convalidated THEN '' ELSE ' NOT VALID' END AS more
    FROM pg_constraint c
    JOIN pg_class own ON own.oid = c.conrelid JOIN pg_class other ON other.oid = c.confrelid,
    LATERAL (SELECT array_agg(a.attname::text ORDER BY k.place) AS columns,
                    string_agg(format('"%s"', a.attname), ', ' ORDER BY k.place) AS own_columns,
                    string_agg(format('"%s"', b.attname), ', ' ORDER BY k.place) AS its_columns
             FROM ROWS FROM (unnest(c.conkey), unnest(c.confkey)) WITH ORDINALITY
                 AS k (own, its, place)
             JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.own
             JOIN pg_attribute b ON b.attrelid = c.confrelid AND b.attnum = k.its) AS named
    WHERE c.contype = 'f' AND c.connamespace = 'public'::regnamespace AND c.conparentid = 0
        AND c.confdeltype <> 'c'
), judged AS (
    SELECT f.*,
           CASE WHEN f.kind = 'r' AND f.target = ANY ($2)
                    AND EXISTS (SELECT FROM wanted w WHERE (w."table", w.columns, w.target)
                                    = (f."table", f.columns, f.target)) THEN 'stop'
                WHEN f.target = 'peer_mentors' AND NOT EXISTS (
                    SELECT FROM wanted w WHERE (w."table", w.target) = (f."table", f.target))
                    THEN 'report' END AS consequence
    FROM found f
)
SELECT format('public."%s" constraint %s', "table", name) AS "where",
       'does not cascade on delete' AS found, clause AS needed,
       format('ALTER TABLE public."%s" DROP CONSTRAINT "%s", ADD CONSTRAINT "%s" %s%s;',
              "table", name, name, clause, more) AS statement,
       consequence
FROM judged,
    format('FOREIGN KEY (%s) REFERENCES public.%s (%s) ON DELETE CASCADE ON UPDATE CASCADE',
           own_columns, target, its_columns) AS clause
WHERE consequence IS NOT NULL
ORDER BY "table" COLLATE "C", name;

-- A column that is missing is the NULL of `lacking`.
-- name: unique_slug
SELECT 'public.organizations' AS "where", 'has no UNIQUE (slug)' AS found,
       'UNIQUE (slug)' AS needed,
       CASE WHEN twice
           THEN E'UPDATE public.organizations a SET slug = a.slug || ''-'' || a.id '
               'WHERE EXISTS (SELECT FROM public.organizations b '
               'WHERE b.slug = a.slug AND b.id < a.id);\n' ELSE '' END
           || 'ALTER TABLE public.organizations ADD UNIQUE (slug);' AS statement,
       'stop' AS consequence
FROM (VALUES (NULL)) AS lacking (slug),
    LATERAL (SELECT EXISTS (SELECT FROM public.organizations WHERE slug IS NOT NULL
                            GROUP BY slug HAVING count(*) > 1)
                 AND EXISTS (SELECT FROM pg_attribute
                             WHERE attrelid = to_regclass('public.organizations')
                                 AND attname = 'id' AND NOT attisdropped) AS twice) AS slugs
WHERE NOT EXISTS (
    SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
    WHERE i.indrelid = to_regclass('public.organizations') AND i.indisunique AND i.indisvalid
        AND i.indpred IS NULL AND i.indnkeyatts = 1 AND a.attname = 'slug');

-- Columns of tables that may be older than this project, which an insert of ours could not fill.
-- $1: the columns that are known, by table, as JSON.
-- name: unfilled
SELECT format('public.%s.%s', c.relname, a.attname) AS "where",
       'is NOT NULL without a default, and unknown here' AS found,
       'a column that an insert may leave out' AS needed,
       format('ALTER TABLE public.%s ALTER COLUMN "%s" DROP NOT NULL;', c.relname, a.attname)
           AS statement,
       'stop' AS consequence
FROM jsonb_each($1::text::jsonb) AS wanted (name, columns)
JOIN pg_class c ON c.oid = to_regclass('public.' || name) AND c.relkind = 'r'
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE a.attnotnull AND NOT a.atthasdef AND a.attidentity = '' AND NOT columns ? a.attname::text
ORDER BY c.relname, a.attnum;

-- Awards of which one of two columns is set. An older table may have one alone, and the other is
-- the NULL of `lacking`.
-- name: half_awards
SELECT format('public.badge_awards.%s', has) AS "where",
       format('is set where %s is not', lacks) AS found, 'both or neither' AS needed,
       format(E'ALTER TABLE public.badge_awards ADD COLUMN IF NOT EXISTS %s %s;\n'
              'UPDATE public.badge_awards SET %s = %s WHERE %s IS NOT NULL AND %s IS NULL;',
              lacks, type, lacks, value, has, lacks) AS statement,
       'stop' AS consequence
FROM (VALUES (NULL, NULL, NULL, NULL)) AS lacking (tier, tier_earned_at, revoked_at, revoked_by),
    LATERAL (VALUES
        ('tier', 'tier_earned_at', 'timestamptz', 'earned_at', EXISTS (
            SELECT FROM public.badge_awards WHERE tier IS NOT NULL AND tier_earned_at IS NULL)),
        ('revoked_at', 'revoked_by', 'text', 'current_user', EXISTS (
            SELECT FROM public.badge_awards WHERE revoked_at IS NOT NULL AND revoked_by IS NULL)),
        ('revoked_by', 'revoked_at', 'timestamptz', 'now()', EXISTS (
            SELECT FROM public.badge_awards WHERE revoked_by IS NOT NULL AND revoked_at IS NULL))
    ) AS pairs (has, lacks, type, value, is_half)
WHERE is_half;

-- name: held_twice
SELECT format('public.badge_awards %s', id) AS "where",
       format('mentor %s holds badge %s already, by award %s', peer_mentor_id, badge_definition_id,
              kept_id) AS found,
       'one award a mentor and definition' AS needed,
       format('DELETE FROM public.badge_awards WHERE id = ''%s'';', id) AS statement,
       'mend' AS consequence
FROM (
-- include: duplicate_awards
) AS held;

-- What Debezium knows the rows by; an index that somebody dropped has no columns. $1: the tables,
-- $2: by table, the statement that gives it its identity, $3: the same where the index is there.
-- name: identities
SELECT format('public.%s replica identity', c.relname) AS "where",
       'is ' || CASE c.relreplident WHEN 'd' THEN 'the primary key' WHEN 'n' THEN 'nothing'
                    WHEN 'f' THEN 'the full row' ELSE 'an index' END
           || coalesce(' (' || array_to_string(found.columns, ', ') || ')', '') AS found,
       CASE WHEN by_mentor THEN 'a unique index on (peer_mentor_id, id)' ELSE 'the primary key' END
           AS needed,
       CASE WHEN EXISTS (
           SELECT FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
           WHERE i.indrelid = c.oid AND x.relname = c.relname || '_mentor_identity_idx'
               AND i.indisvalid AND i.indisunique) THEN with_index ELSE alone END AS statement,
       CASE c.relreplident WHEN 'd' THEN 'mend' ELSE 'stop' END AS consequence, true AS spoils_log
FROM unnest($1::text[], $2::text[], $3::text[]) AS wanted (name, alone, with_index)
JOIN pg_class c ON c.oid = to_regclass('public.' || name) AND c.relkind = 'r',
    LATERAL (SELECT name <> 'peer_mentors' AS by_mentor) AS kinds,
    LATERAL (SELECT array_agg(a.attname::text ORDER BY a.attname) AS columns
             FROM pg_index i JOIN pg_attribute a
                 ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey::int2[])
             WHERE i.indrelid = c.oid AND i.indisreplident) AS found
WHERE NOT CASE c.relreplident
    WHEN 'i' THEN found.columns IS NOT DISTINCT FROM
        CASE WHEN by_mentor THEN ARRAY['id', 'peer_mentor_id'] ELSE ARRAY['id'] END
    WHEN 'd' THEN NOT by_mentor ELSE false END
ORDER BY c.relname;

-- What the migrations create and the database lacks, or has otherwise. A trigger's detail is when
-- it fires ('A': whoever writes), a function's what it does. $1: all of it as JSON, $2: the tables
-- that a log is read from: it cannot be filled, or misses rows, while their triggers are not as
-- they must be, or what these run.
-- name: things_missing
WITH found AS (
-- include: things
), wanted AS (
    SELECT kind, name, coalesce("table", '') AS "table", coalesce(detail, '') AS detail, statement,
           runs, place, split_part(name, '(', 1) AS short,
           CASE WHEN kind IN ('table', 'view') THEN 'relation' ELSE kind END AS class
    FROM ROWS FROM (jsonb_to_recordset($1::text::jsonb) AS (
        kind text, name text, "table" text, detail text, statement text, runs text))
        WITH ORDINALITY AS w (kind, name, "table", detail, statement, runs, place)
), differing AS (
    SELECT w.*, f.kind IS NULL AS missing, w.detail = 'A' AS always,
           CASE WHEN w.kind = 'constraint' THEN w."table"
                ELSE concat_ws(' on ', w.kind || ' ' || w.short, nullif(w."table", '')) END
               AS "where",
           CASE w.kind
               WHEN 'schema' THEN true
               WHEN 'table' THEN true
               WHEN 'trigger' THEN w."table" = ANY ($2::text[])
               WHEN 'policy' THEN w."table" = ANY ($2) AND w.name LIKE 'badges\_connect\_%'
               WHEN 'function' THEN EXISTS (
                   SELECT FROM wanted t WHERE t."table" = ANY ($2) AND t.runs = w.short)
               ELSE false END AS spoils_log
    FROM wanted w LEFT JOIN found f ON (f.kind, f."table", f.name) = (w.class, w."table", w.name)
    WHERE f.kind IS NULL OR f.detail NOT IN (w.detail, 'A')
)
SELECT d."where", told.found, told.needed, told.statement, 'mend' AS consequence, spoils_log,
       kind AS "check"
FROM differing d, LATERAL (
    SELECT 'is missing' AS found, 'the ' || kind AS needed,
           -- An index that is not valid has the name.
           CASE kind WHEN 'index' THEN format(E'DROP INDEX IF EXISTS public.%s;\n', name)
                     ELSE '' END || statement AS statement
    WHERE missing AND kind <> 'constraint'
    UNION ALL
    SELECT 'lacks a constraint', statement, format('ALTER TABLE %s ADD %s;', "table", statement)
    WHERE missing AND kind = 'constraint'
    UNION ALL
    SELECT CASE WHEN always THEN 'does not always fire' ELSE 'is disabled' END,
           CASE WHEN always
               THEN 'ENABLE ALWAYS: in a session that replays rows it must fire as well'
               ELSE 'enabled' END,
           format('ALTER TABLE %s ENABLE%s TRIGGER %s;', "table",
                  CASE WHEN always THEN ' ALWAYS' END, name)
    WHERE NOT missing AND kind = 'trigger'
    UNION ALL
    SELECT 'is another version', 'this version', statement WHERE NOT missing AND kind <> 'trigger'
) AS told
ORDER BY place;

-- The one index whose columns depend on what the application's table takes.
-- name: activities_index
SELECT 'index activities_mentor_date_type_idx on public.activities' AS "where",
       CASE WHEN to_regclass('public.activities_mentor_date_type_idx') IS NULL THEN 'is missing'
            ELSE 'has another last column' END AS found,
       'mentor, date, and the type: cut, where the table does not bound it to 200 characters'
           AS needed,
       statements AS statement, 'mend' AS consequence
FROM badges_private.mend_activities_index() AS statements WHERE statements IS NOT NULL;
