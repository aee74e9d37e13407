/** Where a secret is: its name or ARN in Secrets Manager, and after a `#` the field of its JSON object. */

import { TokenRefreshError } from "./errors.js";

export interface Reference {
  /** As it was given. */
  readonly text: string;
  /** The name or ARN. */
  readonly name: string;
  /** The key of the JSON object; without one the whole secret is the value. */
  readonly field: string | undefined;
  /** Of an ARN. */
  readonly region: string | undefined;
}

const NAME = "[A-Za-z0-9/_+=.@-]{1,512}";
const ARN_PARTS = ["arn:", "aws[a-z-]*:", "secretsmanager:", "[a-z0-9-]+", ":", "\\d{12}", ":secret:", NAME];
/** References that Python's reader takes, and what to do here. */
const OTHERS = {
  amplify: 'give defineFunction { environment: { NAME: secret("NAME") } }, and read process.env.NAME',
  env: "read process.env",
  file: "read the file",
  ssm: "read it with @aws-sdk/client-ssm",
};
const EXAMPLES = "the name or ARN of a secret, with #field after it for a field of its JSON object";

/**
 * Parse a reference. A malformed one is not quoted: it may be a secret that was passed in place of its name.
 * @throws TokenRefreshError `ConfigurationError`: what is wrong, and where.
 */
export function parseReference(given: unknown): Reference {
  if (typeof given !== "string" || given.trim() === "") {
    const found = typeof given === "string" ? "an empty string" : given === null ? "null" : typeof given;
    throw new TokenRefreshError("ConfigurationError", `a reader needs a reference and got ${found}`, `give ${EXAMPLES}`);
  }
  for (const [scheme, fix] of Object.entries(OTHERS)) {
    if (!given.startsWith(`${scheme}:`)) continue;
    throw new TokenRefreshError("ConfigurationError", `this reader reads Secrets Manager alone, and no ${scheme}: reference`, fix);
  }
  const parts = given.startsWith("arn:") ? ARN_PARTS : [NAME];
  let end = 0;
  let region: string | undefined;
  for (const [index, part] of parts.entries()) {
    const pattern = new RegExp(part, "y");
    pattern.lastIndex = end;
    const found = pattern.exec(given)?.[0];
    if (found === undefined) throw malformed(given, end);
    if (index === 3) region = found;
    end += found.length;
  }
  if (end === given.length) return { text: given, name: given, field: undefined, region };
  if (given[end] !== "#") throw malformed(given, end);
  const wrong = /(?! )[\p{C}\p{Z}]/u.exec(given.slice(end + 1));
  const field = given.slice(end + 1);
  if (wrong || field.trim() === "") throw malformed(given, end + 1 + (wrong?.index ?? field.length));
  return { text: given, name: given.slice(0, end), field, region };
}

function malformed(text: string, index: number): TokenRefreshError {
  const length = [...text].length;
  const where = index === text.length ? `it ends after ${length} characters` : `character ${index + 1} of ${length} can't be there`;
  return new TokenRefreshError("ConfigurationError", `the reference is malformed, ${where}`, `give ${EXAMPLES}`);
}
