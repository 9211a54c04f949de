// Reads a JSON list of {secret, headers, body} from standard input; writes, for each, which libraries take the message.
import { readFileSync } from "node:fs";
import OpenAI from "openai";
import { Webhook as Standard } from "standardwebhooks";
import { Webhook as Svix } from "svix";

const openai = new OpenAI({ apiKey: "unused" });
const libraries = {
  standardwebhooks: ({ secret, headers, body }) => new Standard(secret).verify(body, headers),
  svix: ({ secret, headers, body }) => new Svix(secret).verify(body, headers),
  openai: ({ secret, headers, body }) => openai.webhooks.verifySignature(body, headers, secret),
};

async function taken(verify, message) {
  try {
    await verify(message);
    return true;
  } catch (error) {
    return `${error.constructor.name}: ${error.message}`;
  }
}

const said = [];
for (const message of JSON.parse(readFileSync(0, "utf8"))) {
  const verdicts = {};
  for (const [name, verify] of Object.entries(libraries)) verdicts[name] = await taken(verify, message);
  said.push(verdicts);
}
console.log(JSON.stringify(said));
