-- What keeps a column's type as it is, and by its kind what drops an object and what creates it as
-- it is; no row where that is not all. Of generated columns it hardly ever is: their expression
-- must be immutable for the new type too.

-- Indexes, constraints and statistics of the columns themselves follow a new type; those of what
-- uses them go with it. A view is used by whatever takes its row's type, too.
-- name: uses
WITH RECURSIVE used (class, id, part, depth) AS (
    SELECT 'pg_class'::regclass::oid, a.attrelid, a.attnum::int, 0
    FROM unnest($1::text[], $2::text[]) AS wanted (table_name, column_name)
    JOIN pg_attribute a ON a.attname = wanted.column_name
        AND a.attrelid = to_regclass(format('public.%I', wanted.table_name))
    UNION
    SELECT next.class, next.id, next.part, used.depth + 1
    FROM used
    JOIN pg_depend d ON d.deptype IN ('n', 'a') AND (
        d.refclassid = used.class AND d.refobjid = used.id
            AND (used.part = 0 OR d.refobjsubid = used.part)
        OR used.part = 0 AND used.class = 'pg_class'::regclass
            AND d.refclassid = 'pg_type'::regclass AND d.refobjid IN (
                SELECT unnest(ARRAY[t.oid, t.typarray]) FROM pg_type t WHERE t.typrelid = used.id))
    LEFT JOIN pg_rewrite w ON d.classid = 'pg_rewrite'::regclass AND w.oid = d.objid
        AND w.rulename = '_RETURN'
    LEFT JOIN pg_attrdef f ON d.classid = 'pg_attrdef'::regclass AND f.oid = d.objid
    CROSS JOIN LATERAL (
        SELECT CASE WHEN w.oid IS NULL AND f.oid IS NULL THEN d.classid
                    ELSE 'pg_class'::regclass END AS class,
               coalesce(w.ev_class, f.adrelid, d.objid) AS id, coalesce(f.adnum, 0)::int AS part
    ) AS next
    WHERE (next.class, next.id, next.part) <> (used.class, used.id, used.part)
        AND (used.depth > 0
             OR next.class NOT IN ('pg_constraint'::regclass, 'pg_statistic_ext'::regclass)
                AND NOT EXISTS (SELECT FROM pg_class c WHERE next.class = 'pg_class'::regclass
                                AND c.oid = next.id AND c.relkind IN ('i', 'I', 'S')))
)
SELECT class, id, part, pg_describe_object(class, id, part) AS name
FROM used WHERE depth > 0 GROUP BY class, id, part ORDER BY max(depth) DESC, name;

-- name: kind
SELECT CASE WHEN d.class <> 'pg_class'::regclass THEN d.class::regclass::text
            WHEN c.relkind IN ('v', 'm') THEN 'view' WHEN c.relkind = 'i' THEN 'index' END
FROM (VALUES ($1::oid, $2::oid)) AS d (class, id) LEFT JOIN pg_class c ON c.oid = d.id;

-- name: view
SELECT format('DROP %s %s;', k.kind, c.oid::regclass),
       concat_ws(E';\n',
           format('CREATE %s %s%s AS%s%s', k.kind, c.oid::regclass,
                  ' WITH (' || array_to_string(c.reloptions, ', ') || ')',
                  E'\n' || rtrim(pg_get_viewdef(c.oid), ';'),
                  CASE WHEN NOT c.relispopulated THEN ' WITH NO DATA' END),
           CASE WHEN pg_get_userbyid(c.relowner) <> current_user
               THEN format('ALTER TABLE %s OWNER TO %I', c.oid::regclass,
                           pg_get_userbyid(c.relowner)) END,
           -- What default privileges give to everything new, whoever may read the view.
           (SELECT format('REVOKE ALL ON %s FROM %s', c.oid::regclass, string_agg(
                DISTINCT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END,
                ', '))
            FROM pg_default_acl d, aclexplode(d.defaclacl) a
            WHERE d.defaclobjtype = 'r' AND a.grantee <> c.relowner HAVING count(*) > 0),
           (SELECT string_agg(format('GRANT %s ON %s TO %s%s', a.privilege_type, c.oid::regclass,
                CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END,
                CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' END), E';\n')
            FROM aclexplode(c.relacl) a WHERE a.grantee <> c.relowner),
           (SELECT string_agg(CASE d.objsubid
                WHEN 0 THEN format('COMMENT ON %s %s IS %L', k.kind, c.oid::regclass, d.description)
                ELSE format('COMMENT ON COLUMN %s.%I IS %L', c.oid::regclass, t.attname,
                            d.description) END, E';\n')
            FROM pg_description d
            LEFT JOIN pg_attribute t ON t.attrelid = d.objoid AND t.attnum = d.objsubid
            WHERE d.classoid = 'pg_class'::regclass AND d.objoid = c.oid)) || ';'
FROM pg_class c,
    (VALUES ('v', 'VIEW'), ('m', 'MATERIALIZED VIEW')) AS k (relkind, kind)
WHERE c.oid = $1::oid AND c.relkind::text = k.relkind
    AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid
                    AND (a.attacl IS NOT NULL OR a.atthasdef));

-- name: index
SELECT format('DROP INDEX %s;', oid::regclass), pg_get_indexdef(oid) || ';'
FROM pg_class WHERE oid = $1::oid;

-- name: pg_policy
SELECT format('DROP POLICY %I ON %s;', polname, polrelid::regclass),
       format('CREATE POLICY %I ON %s AS %s FOR %s TO %s%s%s;', polname, polrelid::regclass,
              CASE WHEN polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
              CASE polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE'
                          WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
              (SELECT string_agg(CASE r WHEN 0 THEN 'PUBLIC' ELSE r::regrole::text END, ', ')
               FROM unnest(polroles) AS r),
              ' USING (' || pg_get_expr(polqual, polrelid) || ')',
              ' WITH CHECK (' || pg_get_expr(polwithcheck, polrelid) || ')')
FROM pg_policy WHERE oid = $1::oid;

-- name: pg_trigger
SELECT format('DROP TRIGGER %I ON %s;', tgname, tgrelid::regclass),
       concat_ws(E';\n', pg_get_triggerdef(oid),
           CASE WHEN tgenabled <> 'O' THEN format('ALTER TABLE %s %s TRIGGER %I', tgrelid::regclass,
               CASE tgenabled WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA'
                              ELSE 'ENABLE ALWAYS' END, tgname) END) || ';'
FROM pg_trigger WHERE oid = $1::oid AND NOT tgisinternal;

-- name: pg_publication_rel
SELECT format('ALTER PUBLICATION %I DROP TABLE %s;', p.pubname, r.prrelid::regclass),
       format('ALTER PUBLICATION %I ADD TABLE %s%s%s;', p.pubname, r.prrelid::regclass,
              (SELECT ' (' || string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) || ')'
               FROM pg_attribute a WHERE a.attrelid = r.prrelid AND a.attnum = ANY (r.prattrs)),
              ' WHERE (' || pg_get_expr(r.prqual, r.prrelid) || ')')
FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid WHERE r.oid = $1::oid;

-- name: pg_rewrite
SELECT format('DROP RULE %I ON %s;', rulename, ev_class::regclass), pg_get_ruledef(oid)
FROM pg_rewrite WHERE oid = $1::oid AND ev_enabled = 'O';
