// Sends requests with `TokenReader.fetch`, as test_redirects.py asks on standard input, a JSON object a line.

import { registerHooks } from "node:module";
import { createInterface } from "node:readline";

// The sources themselves, since Node leaves their types out: they name each other as they are when they are compiled.
const inSources = (context) => context.parentURL?.includes("/src/");
registerHooks({
  resolve: (name, context, next) => next(inSources(context) ? name.replace(/\.js$/, ".ts") : name, context),
});

const { TokenReader } = await import(process.argv[2]);

for await (const line of createInterface({ input: process.stdin })) {
  const { url, method, body, streamed, followed, tokens } = JSON.parse(line);
  let reads = 0;
  const client = {
    send: async () => {
      const accessToken = tokens[Math.min(reads++, tokens.length - 1)];
      const SecretString = JSON.stringify({ accessToken, expiresAt: Date.now() + 3_600_000 });
      return { SecretString, VersionId: accessToken, CreatedDate: new Date() };
    },
  };
  const content = streamed ? { body: new Blob([body]).stream(), duplex: "half" } : body === null ? {} : { body };
  const init = { method, redirect: followed ? "follow" : "manual", ...content };
  const status = await new TokenReader("tokens", { client }).fetch(url, init).then(
    (response) => response.status,
    () => 0,
  );
  console.log(JSON.stringify({ status, reads }));
}
