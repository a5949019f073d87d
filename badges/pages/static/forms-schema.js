/** What a JSON schema says of a value, with what it refers to in place. No element is made here. */

/** The schema of `document` that a reference such as "#/components/schemas/Criteria" leads to. */
function pointed(document, reference) {
  return reference
    .slice(2)
    .split("/")
    .reduce((node, key) => node[key.replaceAll("~1", "/").replaceAll("~0", "~")], document);
}

/** A schema without references, and without null as an alternative: `optional` says that instead. */
export function plain(schema, document) {
  const { $ref, anyOf, ...beside } = schema;
  if ($ref) return plain({ ...pointed(document, $ref), ...beside, named: $ref.split("/").pop() }, document);
  const written = anyOf?.filter((each) => each.type !== "null");
  if (written?.length === 1) {
    return plain({ ...written[0], ...beside, optional: written.length < anyOf.length }, document);
  }
  return schema;
}

/** By which kind of control a plain schema is filled in. */
export function kindOf(schema) {
  if (schema.oneOf ?? schema.anyOf) return "choice";
  if ("const" in schema) return "constant";
  if (schema.enum) return "enumeration";
  if (schema.properties) return "object";
  if (schema.type === "array") return "list";
  if (schema.type === "integer" || schema.type === "number") return "number";
  if (schema.type === "boolean") return "boolean";
  if (schema.type === "string") return schema.format === "date" ? "date" : "text";
  return "anything";
}

/** The alternatives of a choice, each with the name that it is known by and its plain schema. */
export function alternatives(schema, document) {
  const tag = schema.discriminator?.propertyName;
  return (schema.oneOf ?? schema.anyOf).map((each) => {
    const option = plain(each, document);
    return { name: String(option.properties?.[tag]?.const ?? option.title ?? option.type), schema: option };
  });
}

/** Which of the alternatives a value was written by; undefined when it is none of them. */
export function chosen(options, value, tag) {
  if (value === null || typeof value !== "object") return undefined;
  if (tag) return options.find((each) => each.name === value[tag]);
  return options.find((each) => (each.schema.required ?? []).every((key) => key in value));
}

/** The keys of an object that people fill in, required ones first, each with its plain schema. */
export function members(schema, document, atRoot) {
  const needed = new Set(schema.required ?? []);
  const all = Object.entries(schema.properties)
    .map(([key, each]) => ({ key, schema: plain(each, document), needed: needed.has(key) }))
    // A constant that is not required, such as the version, belongs to the root alone.
    .filter((each) => each.needed || atRoot || kindOf(each.schema) !== "constant");
  return [...all.filter((each) => each.needed), ...all.filter((each) => !each.needed)];
}

/** The first fields under a path's nearest place: "$.of[0].courses[2]" may belong to "$.of[0]". */
export function nearest(path, paths) {
  const fits = (each) => path === each || path.startsWith(`${each}.`) || path.startsWith(`${each}[`);
  return paths.filter(fits).sort((one, other) => other.length - one.length)[0];
}
