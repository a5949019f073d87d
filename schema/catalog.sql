-- What Postgres's catalog says of tables and of what has a name. Columns are in the order of the
-- fields that they fill.

-- name: plain_tables
SELECT relname::text FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relname = ANY ($1) AND relkind = 'r'
ORDER BY relname;

-- name: columns
SELECT c.relname::text AS table_name, a.attname::text AS name,
       format_type(a.atttypid, NULL) AS type, a.attnotnull AS not_null,
       pg_get_expr(d.adbin, d.adrelid) AS default, false AS added, a.attidentity <> '' AS identity
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE c.relnamespace = 'public'::regnamespace AND c.relname = ANY ($1)
    AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attrelid, a.attnum;

-- Every primary ('p') and foreign ('f') key of schema public; `index` is the key that it rests on,
-- for a primary key its own.
-- name: keys
SELECT own.relname::text AS "table", c.conname::text AS name, c.contype::text AS kind,
       (SELECT array_agg(a.attname::text ORDER BY k.place)
        FROM unnest(c.conkey) WITH ORDINALITY AS k (number, place)
        JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.number) AS columns,
       c.conindid::bigint AS index, coalesce(other.relname::text, '') AS target,
       coalesce((SELECT array_agg(a.attname::text ORDER BY k.place)
        FROM unnest(c.confkey) WITH ORDINALITY AS k (number, place)
        JOIN pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.number), '{}')
           AS target_columns,
       pg_get_constraintdef(c.oid) AS definition
FROM pg_constraint c
JOIN pg_class own ON own.oid = c.conrelid
LEFT JOIN pg_class other ON other.oid = c.confrelid
WHERE c.contype IN ('p', 'f') AND c.connamespace = 'public'::regnamespace AND c.conparentid = 0
ORDER BY own.relname, c.conname;

-- An index that is not valid serves nobody, and is as good as missing. Of unique constraints and
-- indexes the columns count, of functions what they do. Kind by kind in the order in which they were
-- made: rows of the catalog move about.
-- name: things
WITH spaces AS (SELECT oid, nspname FROM pg_namespace WHERE nspname IN ('public', 'badges_private'))
SELECT kind, name, "table", detail, runs FROM (
SELECT 1 AS place, oid AS made, 'schema' AS kind, nspname::text AS name, '' AS "table",
    '' AS detail, '' AS runs FROM spaces
UNION ALL SELECT 2, c.oid, 'relation', n.nspname || '.' || c.relname, '', '', ''
FROM pg_class c JOIN spaces n ON n.oid = c.relnamespace WHERE c.relkind NOT IN ('i', 'I')
UNION ALL SELECT 3, c.oid, 'index', c.relname, n.nspname || '.' || t.relname, '', ''
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
JOIN spaces n ON n.oid = t.relnamespace
WHERE i.indisvalid AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid)
UNION ALL SELECT 4, p.oid, 'function', format('%s.%s(%s)', n.nspname, p.proname,
    array_to_string(p.proargtypes::regtype[], ', ')), '',
    md5(concat_ws(' ', p.prosrc, p.prosecdef, p.proconfig)), ''
FROM pg_proc p JOIN spaces n ON n.oid = p.pronamespace
UNION ALL SELECT 5, t.oid, 'trigger', t.tgname, n.nspname || '.' || c.relname, t.tgenabled::text,
    format('%s.%s', f.pronamespace::regnamespace, f.proname)
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN spaces n ON n.oid = c.relnamespace
JOIN pg_proc f ON f.oid = t.tgfoid WHERE NOT t.tgisinternal
UNION ALL SELECT 6, p.oid, 'policy', p.polname, n.nspname || '.' || c.relname, '', ''
FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN spaces n ON n.oid = c.relnamespace
WHERE p.polpermissive
UNION ALL SELECT 7, k.oid, 'constraint', k.conname, n.nspname || '.' || c.relname, '', ''
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN spaces n ON n.oid = c.relnamespace
WHERE k.contype = 'c'
UNION ALL SELECT 8, i.indexrelid, 'constraint',
    substring(pg_get_indexdef(i.indexrelid) FROM '\(.*$'), n.nspname || '.' || c.relname, '', ''
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN spaces n ON n.oid = c.relnamespace
WHERE i.indisunique AND i.indisvalid AND i.indpred IS NULL) AS found
ORDER BY place, made;
